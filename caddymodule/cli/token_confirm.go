package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
	"github.com/spf13/cobra"
)

// Bounds of a conversation with a running gateway.
const (
	gatewayPatience = 5 * time.Second        // it reads a changed file within one
	gatewayAnswer   = 2 * time.Second        // for one answer, on the same machine
	gatewayPoll     = 100 * time.Millisecond // between questions
	gatewayMaxBody  = 1 << 20                // the tokens of one name
)

// defaultAdminSocket is where our configurations put the admin endpoint.
const defaultAdminSocket = "unix//run/llorch/admin.sock"

var (
	errNoGateway   = errors.New("no gateway is running there")
	errGatewayMute = errors.New("the gateway there does not tell; take `admin_api off` out of its global authmin block")
)

// gatewayState is what a running gateway says of its tokens.
type gatewayState struct {
	Tokens []struct {
		Name  string `json:"name"`
		FP6   string `json:"fp6"`
		State string `json:"state"`
	} `json:"tokens"`
	Generations []string `json:"generations"` // SHA-256 of each keyring file in use
	Problems    []string `json:"problems"`    // why a file is not in use as it is now
}

// readBound is how long a running gateway may take to read a changed file: twice
// the time between its looks, for the reading.
const readBound = 2 * caddymodule.PollInterval

// confirm waits until the running gateway has the keyring file as it is now, and
// says whether one was asked. That none runs is no error: it will read the file
// when it starts. Without an answer it returns when a gateway that uses the file
// must have read it, unless one is seen that cannot.
func (k *keyringFlags) confirm(cmd *cobra.Command, s *settings, path, name string, after []authmin.Token) error {
	people, since := cmd.ErrOrStderr(), time.Now()
	socket, address := k.socket(s)
	told, err := k.ask(people, socket, address, path, name, after)
	if err == nil && !told {
		<-time.After(readBound - time.Since(since))
	}
	if stale := heldElsewhere("/proc", path); len(stale) > 0 {
		return errors.Join(err, fmt.Errorf("%s is changed, but these have the old file, as a single file mounted by itself, and will not see the change: %s; restart them, and mount the directory %s in place of the file",
			path, strings.Join(stale, ", "), filepath.Dir(path)))
	}
	if err == nil && !told {
		_, err = fmt.Fprintf(people, "a gateway that has %s as its token_file, or the directory of it mounted, has read it by now\n", path)
	}
	return err
}

// ask asks the gateway until it has the file, and says what became of it. It
// reports whether the gateway told.
func (k *keyringFlags) ask(people io.Writer, socket, address, path, name string, after []authmin.Token) (told bool, err error) {
	if socket == "" {
		_, _ = fmt.Fprintf(people, "no gateway was asked: its admin endpoint %s is not a Unix socket\n", address)
		return false, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("reading keyring: %w", err)
	}
	sum := sha256.Sum256(content)
	ctx, cancel := context.WithTimeout(context.Background(), gatewayPatience)
	defer cancel()
	state, err := awaitGateway(ctx, socket, name, hex.EncodeToString(sum[:]))
	switch {
	case err == nil:
		_, _ = fmt.Fprintf(people, "the gateway at %s has the change\n", address)
		return true, nil
	case errors.Is(err, errNoGateway), errors.Is(err, errGatewayMute):
		_, _ = fmt.Fprintf(people, "not confirmed at %s: %v\n", address, err)
		return false, nil
	case state != nil && len(state.Problems) == 0 && !state.knowsOneOf(after, name):
		_, _ = fmt.Fprintf(people, "the gateway at %s does not use this file, and knows no token of that name\n", address)
		return true, nil
	case state != nil && len(state.Problems) > 0:
		err = fmt.Errorf("%w: %s", err, strings.Join(state.Problems, "; "))
	}
	return true, fmt.Errorf("%s is changed, but the gateway at %s has not taken it: %w; see its log for `keyring not loaded`", path, address, err)
}

// knowsOneOf reports whether the gateway accepts a token that the file has
// revoked.
func (g *gatewayState) knowsOneOf(after []authmin.Token, name string) bool {
	for i := range after {
		t := &after[i]
		for _, known := range g.Tokens {
			if t.Name == name && known.Name == name && known.FP6 == t.Fingerprint() {
				return true
			}
		}
	}
	return false
}

// socket finds the path of the gateway's admin socket, and the address for
// people.
func (k *keyringFlags) socket(s *settings) (path, address string) {
	address = k.admin
	if address == "" && s != nil && s.Caddy.Admin != nil {
		if s.Caddy.Admin.Disabled {
			return "", "(off)"
		}
		address = s.Caddy.Admin.Listen
	}
	if address == "" {
		address = defaultAdminSocket
	}
	rest, ok := strings.CutPrefix(address, "unix/")
	if !ok {
		return "", address
	}
	path, _, _ = strings.Cut(rest, "|") // unix//path|0600
	return path, "unix/" + path
}

// awaitGateway asks until the gateway has read a file with this content. It
// returns the last answer even when that was another.
func awaitGateway(ctx context.Context, socket, name, generation string) (*gatewayState, error) {
	client := &http.Client{
		Timeout: gatewayAnswer,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}},
	}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(gatewayPoll)
	defer ticker.Stop()
	var last *gatewayState
	for {
		state, err := askGateway(ctx, client, name)
		if err != nil && ctx.Err() == nil {
			return last, err
		}
		if err == nil {
			last = state
			if slices.Contains(state.Generations, generation) {
				return state, nil
			}
		}
		select {
		case <-ctx.Done():
			return last, errors.New("it still has the file as it was before")
		case <-ticker.C:
		}
	}
}

func askGateway(ctx context.Context, client *http.Client, name string) (*gatewayState, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/authmin/tokens?name="+url.QueryEscape(name), nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" && !os.IsPermission(dial.Err) {
		return nil, errNoGateway
	}
	if err != nil {
		return nil, fmt.Errorf("asking the gateway: %w", err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusForbidden:
		return nil, errGatewayMute
	default:
		return nil, fmt.Errorf("asking the gateway: it answers %s", response.Status)
	}
	var state gatewayState
	if err := json.NewDecoder(io.LimitReader(response.Body, gatewayMaxBody)).Decode(&state); err != nil {
		return nil, fmt.Errorf("asking the gateway: %w", err)
	}
	return &state, nil
}
