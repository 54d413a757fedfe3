package orchestrator

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/store"
)

// DefaultCapacity is how many tasks may wait (ORCHD_ADMISSION_CAPACITY).
const DefaultCapacity = 1000

// Who is on whose behalf something is done.
type Who struct {
	Identity string
	Admin    bool // sees and may do everything
}

// may reports whether who may see what owner made.
func (w Who) may(owner string) bool { return w.Admin || (owner != "" && owner == w.Identity) }

// Config is what an Orchestrator needs. Store is required, the rest has
// defaults.
type Config struct {
	Store            *store.Store
	Capacity         int      // 0: DefaultCapacity
	Strategy         Strategy // "": MostFreeVRAM
	NodeTimeout      time.Duration
	NodeNetworks     []netip.Prefix // where nodes may be besides loopback
	NodeAddresses    []string       // the nodes that may get PoolManagerToken
	PoolManagerToken authmin.Secret
	Resolver         Resolver       // nil: the system's
	ModelRoot        string         // where file: sources of models are; "": nowhere
	ModelHosts       []string       // https hosts that models may be read from
	ModelCAs         *x509.CertPool // nil: the system's
	Log              *slog.Logger
	Registerer       prometheus.Registerer // nil: a registry of its own
	Now              func() time.Time      // nil: time.Now
}

// Orchestrator is the domain. Its methods may be called concurrently.
type Orchestrator struct {
	store     *store.Store
	queue     *queue
	nodes     *nodes
	sessions  *sessions
	artifacts *artifacts
	workers   workers
	catalog   *catalog
	metrics   *metrics
	strategy  Strategy
	log       *slog.Logger
	now       func() time.Time

	mu    sync.Mutex
	tasks map[string]*entry

	wake    chan struct{}   // capacity 1: something changed for the scheduler
	stopped chan struct{}   // closed when readers have to leave
	ctx     context.Context // ends when running tasks have to stop
	cancel  context.CancelCauseFunc
	work    sync.WaitGroup // the scheduler and the running tasks
	closing atomic.Bool
	stored  atomic.Int64 // bytes of all task records
	turn    uint64       // placements so far; the scheduler's alone
	pace    pace
}

// New rebuilds the queue from the store and starts scheduling. Stop it.
func New(ctx context.Context, c Config) (*Orchestrator, error) {
	c.fill()
	o := &Orchestrator{
		store: c.Store, queue: newQueue(c.Capacity), strategy: c.Strategy, log: c.Log, now: c.Now,
		workers: workers{replicas: make(map[replicaKey]replica)}, tasks: make(map[string]*entry), wake: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	o.ctx, o.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	o.nodes = &nodes{
		timeout: c.NodeTimeout, address: addressRule{c.NodeNetworks, c.Resolver},
		fallback: c.PoolManagerToken, fallbacks: c.NodeAddresses,
		owned: c.Store.Bucket(store.NodeOwners), log: c.Log, now: c.Now, changed: o.poke,
		byID: make(map[string]*node), owners: make(map[string]string),
	}
	o.sessions = newSessions(c.Store.Bucket(store.Sessions), c.Log, c.Now)
	o.artifacts = newArtifacts(c.Store.Bucket(store.Artifacts), c.Log, c.Now)
	o.catalog = &catalog{
		bucket: c.Store.Bucket(store.Catalog), sources: newModelSources(c.ModelRoot, c.ModelHosts, c.ModelCAs), log: c.Log, now: c.Now,
		ctx: o.ctx, work: &o.work, models: map[string]catalogued{}, checks: map[string]*check{}, reading: make(chan struct{}, maxReading),
	}
	o.metrics = newMetrics(c.Registerer, o)
	o.catalog.checked = func(result string) { o.metrics.verifications.WithLabelValues(result).Inc() }
	for _, load := range []func(context.Context) error{o.nodes.load, o.sessions.load, o.artifacts.load, o.catalog.load, o.recover} {
		if err := load(ctx); err != nil {
			return nil, fmt.Errorf("starting orchestrator: %w", err)
		}
	}
	o.work.Go(o.schedule)
	return o, nil
}

func (c *Config) fill() {
	setDefault(&c.Capacity, DefaultCapacity)
	setDefault(&c.Strategy, MostFreeVRAM)
	setDefault(&c.NodeTimeout, DefaultNodeTimeout)
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// poke wakes the scheduler; one wake-up covers any number of changes.
func (o *Orchestrator) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Stop refuses new work, puts tasks without a token back into the queue, ends
// the others with WORKER_RESET, and then lets readers go. It returns early with
// the context's error; what was not settled is settled at the next start.
func (o *Orchestrator) Stop(ctx context.Context) error {
	if o.closing.Swap(true) {
		return nil
	}
	o.cancel(ErrStopping)
	defer close(o.stopped)
	done := make(chan struct{})
	go func() { o.work.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stopping orchestrator: %w", ctx.Err())
	}
}
