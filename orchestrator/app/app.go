// Package app puts the orchestrator together as a service: the store, the
// domain, the HTTP contract and the credential check, started in that order and
// stopped in the reverse one.
//
// It reads no file and no environment (cmd/orchestratord does; package tracing
// is for OpenTelemetry's own variables), so that another program can run it in
// its own process: see the example.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/authmin/backend/tracing"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/httpapi"
	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// DefaultListen is where the gateway's presets expect the orchestrator.
	DefaultListen = "127.0.0.1:8081"
	// drainTimeout is how long finishing the running tasks may take at a stop; with the
	// time that backend.Server gives open requests after it that is 2 s.
	drainTimeout = 1500 * time.Millisecond
	// tracesPerSecond bounds the traces that are recorded.
	tracesPerSecond = 100
)

// The durabilities: with Full an acknowledged write is on the disk, with Fast it gets
// there within two minutes.
const (
	Full = "full"
	Fast = "fast"
)

// Options configure the service. StateDir is required, unless NATS is given.
type Options struct {
	orchestrator.Settings
	httpapi.Streams

	Listen     string // host:port (port 0: any) or unix//path; "": DefaultListen
	StateDir   string
	Cluster    *store.Cluster  // the other replicas; nil: this one is alone
	NATS       *store.External // an existing NATS cluster; nil: embedded servers
	Durability string          // [Full] or [Fast]; "": Full

	Token            authmin.Secret // a caller's own
	UpstreamToken    authmin.Secret // the gateway's
	PoolManagerToken authmin.Secret // sent to the nodes of NodeAddresses

	Version string
	Log     *slog.Logger
	Free    func(dir string) (uint64, error) // free bytes of StateDir; nil: asks the file system
}

// Service is a running orchestrator.
type Service struct {
	addr     string
	cleanups backend.Cleanups
	server   *backend.Server
	tokens   *credentials
	cluster  *store.Cluster // nil: this one is alone
}

// Start binds first, then opens the state, then serves. While it waits for the
// other replicas of a cluster it answers 503. An error is one line and leaves
// nothing running.
func Start(ctx context.Context, o Options) (_ *Service, err error) {
	if o.Listen == "" {
		o.Listen = DefaultListen
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	auth, err := backend.NewAuthenticator(backend.AuthOptions{
		Service: "orchestrator", Listen: o.Listen, Token: o.Token, UpstreamToken: o.UpstreamToken, Log: o.Log,
		Others: []authmin.Secret{o.PoolManagerToken},
	})
	if err != nil {
		return nil, err
	}
	o.Log = auth.Log()
	s := &Service{tokens: newCredentials(auth, o.PoolManagerToken), cluster: o.Cluster}
	defer func() {
		if err != nil {
			_ = s.Stop(context.WithoutCancel(ctx))
		}
	}()
	ln, err := backend.Listen(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	s.addr = ln.Addr().String()
	s.cleanups.Push("listener", func(context.Context) error { return ignoreClosed(ln.Close()) })
	traces, err := tracing.Start(ctx, tracing.Options{
		Service: "llorch-orchestrator", Version: o.Version, Scope: "github.com/llorch/gateway/orchestrator", Log: o.Log, PerSecond: tracesPerSecond,
		Untraced: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v2/nodes/") }, // heartbeats
	})
	if err != nil {
		return nil, err
	}
	s.cleanups.Push("traces", traces.Stop)
	var st *store.Store
	s.cleanups.Push("store", func(context.Context) error { return closeStore(st) })
	front := newFront()
	s.server = backend.Serve(ln, auth.Wrap(front), o.Log)
	s.cleanups.Push("server", s.server.Stop)
	st, err = store.Open(ctx, store.Options{Dir: o.StateDir, Cluster: o.Cluster, NATS: o.NATS, Fast: o.Durability == Fast, ContentBytes: o.ContentBytes, Log: o.Log, Free: o.Free})
	if err != nil {
		return nil, err
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), s.tokens.sources.Errors, s.tokens.sources.Unusable)
	domain, err := orchestrator.New(ctx, orchestrator.Config{
		Settings: o.Settings, Store: st, PoolManagerToken: s.tokens.forNodes, Log: o.Log, Registerer: reg, Tracer: traces.Tracer(),
	})
	if err != nil {
		return nil, err
	}
	api := httpapi.New(httpapi.Options{
		Orchestrator: domain, Gatherer: reg, Version: o.Version, Log: o.Log, Streams: o.Streams,
	})
	front.open(traces.Handler(api.Handler()))
	s.cleanups.Push("tasks", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, o.Drain+drainTimeout)
		defer cancel()
		return domain.Stop(ctx)
	})
	return s, nil
}

// Addr is the bound address: host:port, or a socket's path.
func (s *Service) Addr() string { return s.addr }

// Failed gives an error if the service stops serving by itself.
func (s *Service) Failed() <-chan error { return s.server.Failed() }

// Stop ends the service within about 2 s after the time for draining: it refuses new
// tasks, finishes running ones, closes streams and the state. A second call gives the first one's answer.
func (s *Service) Stop(ctx context.Context) error {
	return s.cleanups.Run(ctx)
}

func closeStore(st *store.Store) error {
	if st == nil {
		return nil
	}
	return st.Close()
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
