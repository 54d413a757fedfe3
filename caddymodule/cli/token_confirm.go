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

// Limits of the requests to a running gateway.
const (
	gatewayTimeout = 5 * time.Second        // in all; it reads a changed file within one second
	gatewayRequest = 2 * time.Second        // for one answer, on the same machine
	gatewayPoll    = 100 * time.Millisecond // between two requests
	gatewayMaxBody = 1 << 20                // the tokens of one name
)

// defaultAdminSocket is where our configurations put the admin endpoint.
const defaultAdminSocket = "unix//run/llorch/admin.sock"

var (
	errNoGateway   = errors.New("no gateway is running there")
	errAPIDisabled = errors.New("its token API is disabled; remove `admin_api off` from its global authmin block")
)

// gatewayState is the answer of a running gateway about its tokens.
type gatewayState struct {
	Tokens []struct {
		Name  string `json:"name"`
		FP6   string `json:"fp6"`
		State string `json:"state"`
	} `json:"tokens"`
	Format      int      `json:"keyring_format"` // the newest that it reads; 0 for a gateway that reads only the first
	Generations []string `json:"generations"`    // SHA-256 of each keyring file in use
	Problems    []string `json:"problems"`       // why a file is not in use as it is now
}

// readBound is how long a running gateway may take to read a changed file: twice
// the time between its looks, for the reading.
const readBound = 2 * caddymodule.PollInterval

// confirm waits until the running gateway uses the present content of the keyring file,
// and reports the result on stderr. A gateway that does not run is no error: it reads the
// file when it starts. Without an answer confirm waits for [readBound], after which a
// gateway with the file has read it. It is an error when a process still has the old file
// mounted.
func (k *keyringFlags) confirm(cmd *cobra.Command, s *settings, path, name string, after []authmin.Token) error {
	stderr, since := cmd.ErrOrStderr(), time.Now()
	socket, address := k.socket(s)
	answered, err := k.ask(stderr, socket, address, path, name, after)
	if err == nil && !answered {
		<-time.After(readBound - time.Since(since))
	}
	if stale := staleMounts("/proc", path); len(stale) > 0 {
		return errors.Join(err, fmt.Errorf("%s is changed, but these have the old file, as a single file mounted by itself, and will not see the change: %s; restart them, and mount the directory %s in place of the file",
			path, strings.Join(stale, ", "), filepath.Dir(path)))
	}
	if err == nil && !answered {
		_, err = fmt.Fprintf(stderr, "a gateway with token_file %s, or with its directory mounted, has read the change by now\n", path)
	}
	return err
}

// ask polls the gateway until it uses the file, and reports the result on stderr.
// answered is false when no gateway could be asked.
func (k *keyringFlags) ask(stderr io.Writer, socket, address, path, name string, after []authmin.Token) (answered bool, err error) {
	if socket == "" {
		_, _ = fmt.Fprintf(stderr, "not confirmed: the gateway can be asked at a Unix socket only, and its admin endpoint is %s; it has one with `admin %s|0600` in its global options\n", address, defaultAdminSocket)
		return false, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("reading keyring: %w", err)
	}
	sum := sha256.Sum256(content)
	ctx, cancel := context.WithTimeout(context.Background(), gatewayTimeout)
	defer cancel()
	state, err := awaitGateway(ctx, socket, name, hex.EncodeToString(sum[:]))
	switch {
	case err == nil:
		_, _ = fmt.Fprintf(stderr, "the gateway at %s has the change\n", address)
		return true, nil
	case errors.Is(err, errNoGateway):
		_, _ = fmt.Fprintf(stderr, "not confirmed at %s: %v; if one runs elsewhere, name its socket with --admin; it has one with `admin %s|0600` in its global options\n", address, err, defaultAdminSocket)
		return false, nil
	case errors.Is(err, errAPIDisabled):
		_, _ = fmt.Fprintf(stderr, "not confirmed at %s: %v\n", address, err)
		return false, nil
	case state != nil && len(state.Problems) == 0 && !state.knowsOneOf(after, name):
		_, _ = fmt.Fprintf(stderr, "the gateway at %s does not use this file, and knows no token of that name\n", address)
		return true, nil
	case state != nil && len(state.Problems) > 0:
		err = fmt.Errorf("%w: %s", err, strings.Join(state.Problems, "; "))
	}
	return true, fmt.Errorf("%s is changed, but the gateway at %s has not loaded it: %w; see its log for `keyring not loaded`", path, address, err)
}

// knowsOneOf reports whether the gateway knows one of the file's tokens of a name.
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
// messages.
func (k *keyringFlags) socket(s *settings) (path, address string) {
	address = k.admin
	if address == "" && s != nil && s.Caddy.Admin != nil {
		if s.Caddy.Admin.Disabled {
			return "", "off"
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

// awaitGateway polls until the gateway uses a file with this SHA-256. It returns the last
// answer also with an error.
func awaitGateway(ctx context.Context, socket, name, generation string) (*gatewayState, error) {
	client := gatewayClient(socket)
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
			return last, errors.New("it still uses the previous file")
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
		return nil, errAPIDisabled
	default:
		return nil, fmt.Errorf("asking the gateway: it answers %s", response.Status)
	}
	var state gatewayState
	if err := json.NewDecoder(io.LimitReader(response.Body, gatewayMaxBody)).Decode(&state); err != nil {
		return nil, fmt.Errorf("asking the gateway: %w", err)
	}
	return &state, nil
}
