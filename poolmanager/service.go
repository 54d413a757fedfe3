package poolmanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/authmin/backend/tracing"
	"github.com/llorch/gateway/poolmanager/gpu"
	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/staging"
)

const (
	// idleLimit is how long an idle connection to another server is kept.
	idleLimit = 2 * time.Minute
	// stopLimit bounds a whole stop whatever the caller's context allows:
	// serviceGrace, then the kill, with deregistering at the same time.
	stopLimit = 3 * time.Second
	// idleEngineConns is how many connections to one engine are kept: one for each
	// slot of a busy one.
	idleEngineConns = 1024
	engineDialLimit = 5 * time.Second
)

// Service is a running pool manager.
type Service struct {
	log      *slog.Logger
	listener net.Listener
	handler  http.Handler
	server   *backend.Server
	dir      *runtimeDir
	pools    *manager
	traces   *tracing.Provider
	tokens   *credentials

	orchestrator *nodeapi.Orchestrator // nil: none is named

	cancel context.CancelFunc // ends the background goroutines
	group  sync.WaitGroup
	once   sync.Once
	result error
}

// Start opens the address, ends processes of a killed earlier run, starts the pools
// to preload, and registers if an orchestrator is named. It does not wait for
// engines or for the orchestrator. ctx is for the start only.
func Start(ctx context.Context, o Options) (*Service, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("pool manager: %w", err)
	}
	auth, err := backend.NewAuthenticator(backend.AuthOptions{
		Service: "poolmanager", Listen: o.Listen, Token: o.Token, UpstreamToken: o.UpstreamToken, Log: o.Log, Others: o.sentTokens(),
	})
	if err != nil {
		return nil, fmt.Errorf("pool manager: %w", err)
	}
	o.Log = auth.Log()
	listener, err := backend.Listen(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("pool manager: %w", err)
	}
	traces, err := startTraces(ctx, o.Log)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("pool manager: %w", err)
	}
	s, err := start(ctx, o, auth, listener, traces)
	if err != nil {
		_ = traces.Stop(ctx)
		listener.Close()
		return nil, fmt.Errorf("pool manager: %w", err)
	}
	return s, nil
}

func start(ctx context.Context, o Options, auth *backend.Authenticator, listener net.Listener, traces *tracing.Provider) (*Service, error) {
	dir, err := openRuntimeDir(o.RuntimeDir)
	if err != nil {
		return nil, err
	}
	s := &Service{log: o.Log, listener: listener, dir: dir, traces: traces, tokens: newCredentials(auth, o.DispatchToken)}
	gpus := &gpu.Monitor{Environment: Template{}.environment(os.LookupEnv, startValues{})} // no token of ours
	changed := make(chan struct{}, 1)
	env := &environment{
		dir: dir, root: o.ModelRoot, http: tracedClient(traces.Tracer(), engineClient()), log: o.Log, times: o.times, vram: gpus.Free,
		changed: func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		},
	}
	s.tokens.renew = env.changed
	env.engines = newProcesses(dir, env.http, o.times.probeLimit)
	stagingOptions := staging.Options{Root: o.ModelRoot, Hosts: o.ModelHosts, Log: o.Log}
	if o.OrchestratorURL != "" {
		authorities, err := o.authorities()
		if err != nil {
			dir.close()
			return nil, err
		}
		s.orchestrator = nodeapi.NewOrchestrator(o.OrchestratorURL, o.OrchestratorToken, authorities)
		stagingOptions.Catalog = s.orchestrator.CatalogModel
	}
	env.stage = staging.New(stagingOptions).Stage
	if o.stage != nil {
		env.stage = o.stage
	}
	if s.pools, err = newManager(env, o.Templates); err != nil {
		dir.close()
		return nil, err
	}
	env.metrics = newMetrics(s.pools.list)
	dir.endLeftovers(ctx, o.Log)
	failed := gpus.Measure(ctx)
	if failed != nil {
		o.Log.Warn("could not measure GPU memory", "error", failed)
	}
	env.ledger = s.newLedger(o, gpus, failed != nil)
	handoffs, err := openHandoffs(dir.path, s.pools, o.Log, env.metrics.registry)
	if err != nil {
		dir.close()
		return nil, err
	}
	if err := s.preload(o.Preload); err != nil {
		_ = s.pools.stopAll(ctx)
		dir.close()
		return nil, err
	}
	s.handler = auth.Wrap(s.traces.Handler(requestLog(o.Log, newAPI(env, s.pools))))
	s.server = backend.Serve(listener, s.handler, o.Log)
	background, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.group.Go(func() {
		gpus.Run(background, func(err error) { o.Log.Warn("could not measure GPU memory", "error", err) })
	})
	s.group.Go(func() { handoffs.run(background) })
	if o.OrchestratorURL != "" {
		r := s.registration(o, gpus, changed)
		s.group.Go(func() { r.run(background) })
	}
	return s, nil
}

// newLedger counts the GPUs' memory where there are GPUs, else that of the
// engines' processes against the configured budget. Where a tool is that failed at
// the start (silent) and no budget was given, there may be GPUs later.
func (s *Service) newLedger(o Options, gpus *gpu.Monitor, silent bool) *ledger {
	var read func(context.Context, []string) (int64, error)
	onGPUs := len(gpus.Devices()) > 0 || silent && o.MemoryBytes == 0
	switch {
	case onGPUs:
		read = func(ctx context.Context, devices []string) (int64, error) {
			err := gpus.Measure(ctx)
			return gpus.Free(devices), err
		}
	case o.MemoryBytes > 0:
		read = func(context.Context, []string) (int64, error) { return o.MemoryBytes - s.pools.resident(), nil }
	}
	budget := o.MemoryBytes
	if onGPUs {
		budget = 0
	}
	l := newLedger(read, budget, o.times.minStay, o.Log)
	l.pools = s.pools.list
	return l
}

// preload starts, or offers, the configured pools.
func (s *Service) preload(list []Preload) error {
	for _, p := range list {
		var err error
		if t := s.pools.templates[p.Template]; p.OnDemand && !t.Swap {
			return fmt.Errorf("preloading %s: on_demand wants a template with swap", p.PoolID)
		}
		if p.OnDemand {
			_, err = s.pools.offer(p.PoolID, p.Template, p.ModelRef)
		} else {
			_, err = s.pools.preload(p.PoolID, nodeapi.PreloadRequest{Template: p.Template, ModelRef: p.ModelRef})
		}
		if err != nil {
			return fmt.Errorf("preloading %s: %w", p.PoolID, err)
		}
	}
	return nil
}

func (s *Service) registration(o Options, gpus *gpu.Monitor, changed chan struct{}) *registration {
	address := o.Address
	if address == "" {
		address = "http://" + s.Addr()
	}
	pools := func() []nodeapi.Pool {
		list := []nodeapi.Pool{}
		for _, p := range s.pools.list() {
			list = append(list, p.report())
		}
		return list
	}
	return &registration{
		orchestrator: s.orchestrator, nodeID: o.NodeID, pools: pools, log: o.Log,
		changed: changed, first: o.times.restartFirst, dispatch: s.tokens.dispatchToken,
		request: func() nodeapi.RegisterRequest {
			return nodeapi.RegisterRequest{
				NodeID: o.NodeID, MachineID: machineID(o.NodeID), Address: address, Version: Version,
				Pools: pools(), Capabilities: capabilities(gpus.Devices()), DispatchToken: s.tokens.dispatchToken().Reveal(),
			}
		},
	}
}

// engineClient talks to engines: never through a proxy, never to where a
// redirect points. Tasks have their own deadlines, so it has none.
func engineClient() *http.Client {
	return &http.Client{
		CheckRedirect: noRedirect,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: engineDialLimit}).DialContext,
			TLSHandshakeTimeout: engineDialLimit, MaxIdleConnsPerHost: idleEngineConns,
			IdleConnTimeout: idleLimit, DisableCompression: true,
		},
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Addr is the address that was opened: host:port, or the socket's path.
func (s *Service) Addr() string { return s.listener.Addr().String() }

// Failed gives an error when the service stops serving by itself.
func (s *Service) Failed() <-chan error { return s.server.Failed() }

// Stop deregisters, ends every engine and every stream, and closes the address.
// It takes at most 3 s, less if ctx ends before; remaining engines are killed then.
// Further calls give the first one's result.
func (s *Service) Stop(ctx context.Context) error {
	s.once.Do(func() { s.result = s.stop(ctx) })
	return s.result
}

func (s *Service) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	s.pools.env.stopping.Store(true)
	s.cancel() // deregisters meanwhile: no new task comes
	engines := s.pools.stopAll(ctx)
	serving := s.server.Stop(ctx)
	s.pools.env.http.CloseIdleConnections()
	flushing := s.traces.Stop(ctx)
	background := make(chan struct{})
	go func() { s.group.Wait(); close(background) }()
	select {
	case <-background:
	case <-ctx.Done():
		engines = errors.Join(engines, fmt.Errorf("stopping the pool manager: %w", ctx.Err()))
	}
	s.dir.close()
	return errors.Join(engines, serving, flushing)
}
