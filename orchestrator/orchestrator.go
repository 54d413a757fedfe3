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
	"go.opentelemetry.io/otel/trace"

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
	Capacity         int           // 0: DefaultCapacity
	Policy           Policy        // "": Reject
	Strategy         Strategy      // "": MostFreeVRAM
	Drain            time.Duration // how long running tasks may go on at a stop; 0: not at all
	Deadline         time.Duration // for the first token of tasks that name none; 0: DefaultDeadline
	StreamLimit      time.Duration // for the streams of tasks that name none; 0: none
	KeepEnded        time.Duration // how long ended tasks are kept; 0: DefaultKeepEnded
	KeepEndedTasks   int           // how many for one identity; 0: DefaultKeepEndedTasks
	NodeTimeout      time.Duration
	NodeNetworks     []netip.Prefix        // where nodes may be besides loopback
	NodeAddresses    []string              // the nodes that may get PoolManagerToken
	NodeModels       ModelGrants           // which models whose nodes may offer; nil: any
	PoolManagerToken func() authmin.Secret // asked for each call, so that it can change; nil: none
	Resolver         Resolver              // nil: the system's
	ModelRoot        string                // where file: sources of models are; "": nowhere
	ModelHosts       []string              // https hosts that models may be read from
	ModelCAs         *x509.CertPool        // nil: the system's
	Log              *slog.Logger
	Registerer       prometheus.Registerer // nil: a registry of its own
	Now              func() time.Time      // nil: time.Now
	Tracer           trace.Tracer          // nil: no spans
}

// Orchestrator is the domain, or one replica of it: those that share a store are
// one orchestrator to their callers. Its methods may be called concurrently.
type Orchestrator struct {
	store     *store.Store
	me        string // the replica's name
	queue     *queue
	nodes     *nodes
	sessions  *sessions
	artifacts *artifacts
	workers   workers
	catalog   *catalog
	keys      *keptKeys
	metrics   *metrics
	strategy  Strategy
	policy    Policy
	tracer    trace.Tracer // nil: no spans
	log       *slog.Logger
	now       func() time.Time

	mu      sync.Mutex
	tasks   map[string]*entry
	running sync.Map // of *entry by id: what is running, anywhere
	fed     sync.Map // of *entry by id: whose tails are fed from elsewhere
	loading []*entry // waiting tasks of the first listing; nil after it

	retiring sync.Mutex
	retired  []*entry      // ended here, with a tail that can go soon
	retiree  chan struct{} // capacity 1: there are some

	lease                *store.Lease
	leading              atomic.Bool
	reclaiming, sweeping atomic.Bool
	placing              sync.Mutex // held while the scheduler places tasks
	dispatches           sync.WaitGroup
	busy                 atomic.Int64 // dispatches under way

	wake     chan struct{}   // capacity 1: something changed for the scheduler
	stopped  chan struct{}   // closed when readers have to leave
	ctx      context.Context // ends when running tasks have to stop
	cancel   context.CancelCauseFunc
	resign   context.CancelFunc // gives the lease up
	blind    context.CancelFunc // ends the mirrors
	mirrors  sync.WaitGroup     // what keeps memory in step with the store
	work     sync.WaitGroup     // the scheduler and the running tasks
	closing  atomic.Bool
	drain    time.Duration
	drainEnd atomic.Int64 // Unix nanoseconds: when running tasks have to stop
	stored   *Shares      // bytes of the task records, by identity
	keep     keeping

	deadline, streamLimit time.Duration // of tasks that name none; streamLimit 0: none
	silence               time.Duration // maxSilence
	turn                  uint64        // placements so far; the scheduler's alone
	pace                  pace
}

// New makes memory what the store says and joins in scheduling. Stop it.
func New(ctx context.Context, c Config) (*Orchestrator, error) {
	c.fill()
	o := &Orchestrator{
		store: c.Store, me: c.Store.Replica(), queue: newQueue(c.Capacity), strategy: c.Strategy, policy: c.Policy, tracer: c.Tracer, log: c.Log, now: c.Now,
		workers: workers{replicas: make(map[replicaKey]replica)}, tasks: make(map[string]*entry), loading: []*entry{}, drain: c.Drain,
		stored: NewShares(maxTaskBytes), keep: keeping{c.KeepEnded, c.KeepEndedTasks, max(maxEnded, c.KeepEndedTasks)},
		deadline: c.Deadline, streamLimit: c.StreamLimit, silence: maxSilence,
		wake: make(chan struct{}, 1), stopped: make(chan struct{}), retiree: make(chan struct{}, 1),
	}
	o.ctx, o.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	o.nodes = newNodes(c, o.poke)
	o.sessions = newSessions(c.Store.Bucket(store.Sessions), c.Log, c.Now)
	o.keys = newKeptKeys(c.Now)
	o.artifacts = newArtifacts(c.Store.Bucket(store.Artifacts), c.Log, c.Now)
	o.artifacts.shared = c.Store.Shared()
	o.catalog = &catalog{
		bucket: c.Store.Bucket(store.Catalog), sources: modelSources{c.ModelRoot, c.ModelHosts, c.ModelCAs, c.Resolver}, log: c.Log, now: c.Now,
		work: &o.work, models: map[string]catalogued{}, ids: map[string]string{}, aliases: map[string]string{}, checks: map[string]*check{}, reading: make(chan struct{}, maxReading),
	}
	o.metrics = newMetrics(c.Registerer, o)
	o.catalog.checked = func(result string) { o.metrics.verifications.WithLabelValues(result).Inc() }
	if err := o.reflect(ctx); err != nil {
		return nil, fmt.Errorf("starting orchestrator: %w", err)
	}
	o.lease = c.Store.Lease(leaseName, o.handOver)
	if !c.Store.Shared() {
		o.reclaim(&losses{}) // nobody else runs anything
	}
	candidacy, resign := context.WithCancel(o.ctx)
	o.resign = resign
	o.work.Go(func() { _ = o.lease.Run(candidacy, o.lead) }) // ends with candidacy, never otherwise
	o.work.Go(o.retireAll)
	return o, nil
}

func (c *Config) fill() {
	setDefault(&c.Capacity, DefaultCapacity)
	setDefault(&c.Strategy, MostFreeVRAM)
	setDefault(&c.Policy, Reject)
	setDefault(&c.NodeTimeout, DefaultNodeTimeout)
	setDefault(&c.Deadline, DefaultDeadline)
	setDefault(&c.KeepEnded, DefaultKeepEnded)
	setDefault(&c.KeepEndedTasks, DefaultKeepEndedTasks)
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

// once runs f in the background, unless it runs already.
func (o *Orchestrator) once(running *atomic.Bool, f func()) {
	if running.Swap(true) {
		return
	}
	o.work.Go(func() {
		defer running.Store(false)
		f()
	})
}
