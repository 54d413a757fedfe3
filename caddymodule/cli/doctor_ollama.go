package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

const (
	ollamaPort  = 11434           // its default
	ollamaGuard = "ollama"        // the name of the preset's guard
	maxAsked    = 16              // addresses that are asked, in all
	askTimeout  = 2 * time.Second // for one of them
	maxStatus   = 4 << 10         // bytes of an answer that are read
)

// examineCloud asks each Ollama whether it may use ollama.com. If so, requests of scope
// infer may name a model there, and search the web in /v1/messages and /v1/responses, with
// the account that the server is signed in to: no rule over paths stops that.
func (d *doctor) examineCloud() {
	for _, at := range d.ollamas() {
		cloud, err := askCloud(at.address)
		switch {
		case err != nil && at.certain:
			d.note(fmt.Sprintf("could not ask the Ollama at %s whether it uses ollama.com: %v", at.address, err),
				"unless its callers may use your account there, start it with OLLAMA_NO_CLOUD=1")
		case err != nil: // another server behind the same listener
		case cloud.Disabled:
			d.ok("the Ollama at %s does not use ollama.com", at.address)
		default:
			d.note(fmt.Sprintf("the Ollama at %s uses ollama.com: with scope infer, callers can run models there and search the web with the account of this server", at.address),
				"unless they may, start it with OLLAMA_NO_CLOUD=1")
		}
	}
}

// ollamaAt is an address that an Ollama may listen on.
type ollamaAt struct {
	address string
	certain bool // by its port; otherwise its answer has to show it
}

// ollamas are the listeners of this machine and the upstreams with Ollama's port, and the
// upstreams of a server with a guard of the preset's name.
func (d *doctor) ollamas() []ollamaAt {
	var found []ollamaAt
	add := func(address string, certain bool) {
		known := slices.ContainsFunc(found, func(at ollamaAt) bool { return at.address == address })
		if !known && len(found) < maxAsked {
			found = append(found, ollamaAt{address, certain})
		}
	}
	for _, at := range d.listening() {
		if at.Port() == ollamaPort {
			host := at.Addr()
			if host.IsUnspecified() {
				host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
			}
			add(netip.AddrPortFrom(host, ollamaPort).String(), true)
		}
	}
	if d.settings == nil {
		return found
	}
	guards, err := guardsOf(d.settings)
	if err != nil {
		return found // lint reports it
	}
	named := map[string]bool{}
	for _, g := range guards {
		named[g.server] = named[g.server] || g.Name == ollamaGuard
	}
	for _, name := range d.settings.Servers() {
		raw, err := json.Marshal(d.settings.HTTP.Servers[name].Routes)
		if err != nil {
			continue
		}
		for _, address := range dialed(raw) {
			_, port, ok := splitAddress(address)
			if ok && (port == ollamaPort || named[name]) {
				add(address, port == ollamaPort)
			}
		}
	}
	return found
}

// cloudStatus is a member of what GET /api/status answers (Ollama v0.33, server/routes.go,
// StatusHandler): OLLAMA_NO_CLOUD and ~/.ollama/server.json, as the server has read them.
type cloudStatus struct {
	Disabled bool `json:"disabled"`
}

func askCloud(address string) (cloudStatus, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/status", http.NoBody)
	if err != nil {
		return cloudStatus{}, errors.New("this is not an address")
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return cloudStatus{}, errors.New("it does not answer")
	}
	defer res.Body.Close()
	var status struct {
		Cloud *cloudStatus `json:"cloud"`
	}
	if res.StatusCode != http.StatusOK {
		return cloudStatus{}, errors.New("/api/status answers " + strconv.Itoa(res.StatusCode))
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxStatus)).Decode(&status); err != nil || status.Cloud == nil {
		return cloudStatus{}, errors.New("/api/status does not say")
	}
	return *status.Cloud, nil
}
