// Package app puts the orchestrator together as a service: the store, the
// domain, the HTTP contract and the credential check, started in that order and
// stopped in the reverse one.
//
// It reads no file and no environment (cmd/orchestratord does; package tracing
// is for OpenTelemetry's own variables), so that another program can run it in
// its own process:
//
// See the example of the package.
package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/authmin/backend/tracing"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/httpapi"
	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// DefaultListen is api.md's address.
	DefaultListen = "127.0.0.1:8081"
	// drainTimeout is how long running tasks have to be settled at a stop; with what
	// backend.Server gives open requests after it that is 2 s.
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

// Options say how to run. StateDir is required, unless NATS is given.
type Options struct {
	Listen        string // host:port (port 0: any) or unix//path; "": DefaultListen
	StateDir      string
	Cluster       *store.Cluster  // the other replicas; nil: this one is alone
	NATS          *store.External // an existing NATS cluster; nil: embedded servers
	Durability    string          // [Full] or [Fast]; "": Full
	Token         authmin.Secret  // a caller's own
	UpstreamToken authmin.Secret  // the gateway's

	Capacity         int // tasks that may wait; 0: 1000
	Strategy         orchestrator.Strategy
	NodeTimeout      time.Duration
	Deadline         time.Duration            // for the first token of tasks that name none; 0: 10 min
	StreamLimit      time.Duration            // for the streams of tasks that name none; 0: none
	KeepEnded        time.Duration            // how long ended tasks are kept; 0: an hour
	KeepEndedTasks   int                      // how many for one identity; 0: 10,000
	Policy           orchestrator.Policy      // of a full queue; "": reject
	Drain            time.Duration            // how long running tasks may go on at a stop; 0: they end
	NodeNetworks     []netip.Prefix           // where nodes may be besides loopback
	NodeAddresses    []string                 // base URLs of the nodes that may get PoolManagerToken
	NodeModels       orchestrator.ModelGrants // which models an identity's nodes may offer; nil: any
	PoolManagerToken authmin.Secret

	ModelRoot  string         // directory of the models that file: sources name; "": none
	ModelHosts []string       // host or host:port of https sources; none: no https
	ModelCAs   *x509.CertPool // nil: the system's

	Version    string
	Log        *slog.Logger
	Heartbeat  time.Duration                    // of event streams; 0: 15 s
	SlowReader time.Duration                    // how long a reader of events may stall; 0: 10 s
	Free       func(dir string) (uint64, error) // free bytes of StateDir; nil: asks the file system
	Resolver   orchestrator.Resolver            // nil: the system's
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
	st, err = store.Open(ctx, store.Options{Dir: o.StateDir, Cluster: o.Cluster, NATS: o.NATS, Fast: o.Durability == Fast, Log: o.Log, Free: o.Free})
	if err != nil {
		return nil, err
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), s.tokens.sourceErrors)
	config := o.domain(st, reg, traces.Tracer())
	config.PoolManagerToken = s.tokens.forNodes
	domain, err := orchestrator.New(ctx, config)
	if err != nil {
		return nil, err
	}
	api := httpapi.New(httpapi.Options{
		Orchestrator: domain, Gatherer: reg, Version: o.Version, Log: o.Log, Heartbeat: o.Heartbeat, SlowReader: o.SlowReader,
	})
	front.open(traces.Handler(api.Handler()))
	s.cleanups.Push("tasks", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, o.Drain+drainTimeout)
		defer cancel()
		return domain.Stop(ctx)
	})
	return s, nil
}

func (o Options) domain(st *store.Store, reg prometheus.Registerer, tracer trace.Tracer) orchestrator.Config {
	return orchestrator.Config{
		Store: st, Capacity: o.Capacity, Strategy: o.Strategy, NodeTimeout: o.NodeTimeout, Deadline: o.Deadline, StreamLimit: o.StreamLimit,
		KeepEnded: o.KeepEnded, KeepEndedTasks: o.KeepEndedTasks, Drain: o.Drain, Policy: o.Policy,
		NodeNetworks: o.NodeNetworks, NodeAddresses: o.NodeAddresses, NodeModels: o.NodeModels,
		ModelRoot: o.ModelRoot, ModelHosts: o.ModelHosts, ModelCAs: o.ModelCAs,
		Resolver: o.Resolver, Log: o.Log, Registerer: reg, Tracer: tracer,
	}
}

// Addr is the bound address: host:port, or a socket's path.
func (s *Service) Addr() string { return s.addr }

// Failed gives an error if the service stops serving by itself.
func (s *Service) Failed() <-chan error { return s.server.Failed() }

// Stop ends the service within about 2 s, and the time for draining: no new tasks, running ones settled,
// streams closed, state closed. A second call gives the first one's answer.
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
