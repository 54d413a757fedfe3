package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	// startLimit is how long the fleet may take to its first readiness.
	startLimit = 2 * time.Minute
	// lookLimit bounds one look at an orchestrator; its groups answer within 2 s.
	lookLimit = 4 * time.Second
	// revocable is how many tokens take turns at being revoked.
	revocable = 2
)

// fleet is all hosts, and what they share.
type fleet struct {
	hosts    []*host
	network  *network
	keys     *keyring
	upstream authmin.Secret // of all gateways, for the orchestrators
	direct   *http.Client   // to the orchestrators, for looks at them
}

// scopesOf are the tokens of the keyring.
func scopesOf() map[string]string {
	scopes := map[string]string{"ci": "infer", "other": "infer", "scraper": "metrics"}
	for i := range revocable {
		scopes[fmt.Sprint("passing", i)] = "infer"
	}
	for i := range nodes {
		scopes[fmt.Sprintf("node%d", i+1)] = "nodes"
		scopes[fmt.Sprintf("node%d-dispatch", i+1)] = "dispatch"
	}
	return scopes
}

// newFleet prepares everything and starts nothing.
func newFleet(dir, programs string) (*fleet, error) {
	f := &fleet{
		network: newNetwork(), upstream: authmin.RandomSecret(), keys: newKeyring(filepath.Join(dir, "tokens"), scopesOf()),
		direct: &http.Client{Timeout: lookLimit},
	}
	if err := f.keys.save(); err != nil {
		return nil, err
	}
	a, err := newAuthority(dir)
	if err != nil {
		return nil, err
	}
	var peers []string
	for i := range hosts {
		h, err := newHost(dir, i)
		if err != nil {
			return nil, err
		}
		if h.link, err = f.network.open(h); err != nil {
			return nil, err
		}
		f.hosts, peers = append(f.hosts, h), append(peers, h.link.address)
	}
	f.network.hosts = f.hosts
	for i, h := range f.hosts {
		if err := h.prepareOrchestrator(programs, f.upstream, a, int64(i+2), peers); err != nil {
			return nil, err
		}
		if err := h.prepareGateway(programs, f.keys.path, f.upstream, f.hosts); err != nil {
			return nil, err
		}
		if i < nodes {
			node := fmt.Sprintf("node%d", i+1)
			if err := h.preparePools(programs, f.keys.secret(node), f.keys.secret(node+"-dispatch")); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

// processes are those of all hosts.
func (f *fleet) processes() (all []*process) {
	for _, h := range f.hosts {
		all = append(all, h.processes()...)
	}
	return all
}

// start starts everything and waits until one replica could be lost and all nodes are known.
func (f *fleet) start(ctx context.Context) error {
	for _, p := range f.processes() {
		if err := p.start(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		_, err := f.steady(ctx)
		if err == nil {
			return nil
		}
		if !pause(ctx, time.Second) {
			return fmt.Errorf("starting the fleet: not steady after %v: %w", startLimit, err)
		}
	}
}

// stop ends everything: the orchestrators last, so that nodes can say goodbye.
func (f *fleet) stop() {
	for _, h := range f.hosts {
		for _, p := range []*process{h.pools, h.gateway, h.orchestrator} {
			if p != nil {
				p.pause(false)
				_ = p.end(syscall.SIGTERM) // one that hangs is killed
			}
		}
	}
	f.network.close()
}

// view is how one orchestrator sees the cluster (GET /v2/meta/replica).
type view struct {
	MayLose    bool `json:"safe_to_lose_another"`
	NodesKnown int  `json:"nodes_known"`
	Groups     []struct {
		Name   string `json:"name"`
		Leader string `json:"leader"`
		Term   uint64 `json:"term"`
	} `json:"groups"`
}

// look asks one orchestrator, past its gateway, as the gateway would.
func (f *fleet) look(ctx context.Context, h *host) (v view, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.http+"/v2/meta/replica", nil)
	if err != nil {
		return v, err
	}
	sign(r, f.upstream, "soak", "metrics")
	answer, err := f.direct.Do(r)
	if err != nil {
		return v, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return v, fmt.Errorf("%s: asking for its state: status %d", h.name, answer.StatusCode)
	}
	return v, json.NewDecoder(answer.Body).Decode(&v)
}

func sign(r *http.Request, upstream authmin.Secret, identity, scopes string) {
	r.Header.Set("Authorization", "Bearer "+upstream.Reveal())
	r.Header.Set("X-Auth-Identity", identity)
	r.Header.Set("X-Auth-Scopes", scopes)
	r.Header.Set("X-Auth-Models", "*")
}

// steady says what is not as it should be: that every gateway has its orchestrator, one
// replica could be lost, and each replica knows all nodes. It gives the terms of the groups.
func (f *fleet) steady(ctx context.Context) (terms map[string]uint64, err error) {
	terms = map[string]uint64{}
	for _, h := range f.hosts {
		if err := f.ready(ctx, h); err != nil {
			return nil, err
		}
		v, err := f.look(ctx, h)
		if err != nil {
			return nil, err
		}
		if !v.MayLose || v.NodesKnown < nodes {
			return nil, fmt.Errorf("%s: may lose another replica: %t; knows %d nodes", h.name, v.MayLose, v.NodesKnown)
		}
		for _, g := range v.Groups {
			if g.Leader == "" {
				return nil, fmt.Errorf("%s: group %s has no leader", h.name, g.Name)
			}
			terms[g.Name] = max(terms[g.Name], g.Term)
		}
	}
	return terms, nil
}

func (f *fleet) ready(ctx context.Context, h *host) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.edge+"/ready", nil)
	if err != nil {
		return err
	}
	answer, err := f.direct.Do(r)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway of %s is not ready: status %d", h.name, answer.StatusCode)
	}
	return nil
}

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
