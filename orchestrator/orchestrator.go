package orchestrator

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/store"
)

// Who is the caller: the identity on whose behalf a call is made.
type Who struct {
	Identity string
	Admin    bool            // sees and may do everything
	Models   *authmin.Models // that it may use, and its tasks fall back to; nil: every model
}

// may reports whether w has access to what owner made.
func (w Who) may(owner string) bool { return w.Admin || (owner != "" && owner == w.Identity) }

// Config is what an Orchestrator needs: its settings and what it stands on. Store is
// required, the rest has defaults.
type Config struct {
	Settings
	Store            *store.Store
	PoolManagerToken func() authmin.Secret // called for each request, so that it can change; nil: none
	Log              *slog.Logger          // nil: slog.Default
	Registerer       prometheus.Registerer // nil: a registry of its own
	Now              func() time.Time      // nil: time.Now
	Tracer           trace.Tracer          // nil: no spans
}

// Orchestrator is the domain, or one replica of it: those that share a store are
// one orchestrator to their callers. Its methods may be called concurrently.
type Orchestrator struct {
	store   *store.Store
	replica string // this one's name
	log     *slog.Logger
	now     func() time.Time
	tracer  trace.Tracer // nil: no spans
	metrics *metrics

	lifecycle *lifecycle // from start to stop
	scheduler *scheduler // places and dispatches, on one replica at a time
	tasks     *taskTable // every task in memory
	tails     *tails     // their newest events

	rules     admissionRules
	retention retention
	queue     *queue
	keys      *keptKeys
	nodes     *nodes
	listings  *listings // what clients of Ollama list
	workers   workers
	sessions  *sessions
	catalog   *catalog
	artifacts *artifacts
	content   *contents
	seals     *sealer
}

// admissionRules are the limits of tasks that name none.
type admissionRules struct {
	policy                Policy
	deadline, streamLimit time.Duration // streamLimit 0: none
}

// New loads the store into memory and competes for the leadership. Call Stop at the end.
func New(ctx context.Context, c Config) (*Orchestrator, error) {
	c.fill()
	o := &Orchestrator{
		store: c.Store, replica: c.Store.Replica(), log: c.Log, now: c.Now, tracer: c.Tracer,
		lifecycle: newLifecycle(ctx, c.Drain), tasks: newTaskTable(), queue: newQueue(c.Capacity),
		rules:     admissionRules{c.Policy, c.Deadline, c.StreamLimit},
		retention: retention{c.KeepEnded, c.KeepEndedTasks, max(maxEnded, c.KeepEndedTasks)},
		workers:   workers{replicas: make(map[replicaKey]replica)},
		keys:      newKeptKeys(c.Now),
		listings:  newListings(),
	}
	o.content, o.seals = newContents(o, c.Settings), newSealer(c.Store.Keys())
	o.scheduler = newScheduler(o, c.Strategy)
	o.tails = newTails(c.Store, o.seals, o.lifecycle, o.scheduler.active.Load, c.Log, c.Now)
	o.nodes = newNodes(c, o.scheduler.wake)
	o.sessions = newSessions(c.Store.Bucket(store.Sessions), c.Log, c.Now)
	o.artifacts = newArtifacts(c.Store.Bucket(store.Artifacts), c.Log, c.Now)
	o.artifacts.shared = c.Store.Shared()
	o.catalog = newCatalog(c, &o.lifecycle.work)
	o.metrics = newMetrics(c.Registerer, o)
	o.catalog.checked = func(result string) { o.metrics.verifications.WithLabelValues(result).Inc() }
	if err := o.startWatches(ctx); err != nil {
		return nil, fmt.Errorf("starting orchestrator: %w", err)
	}
	o.seals.start(o)
	o.scheduler.start()
	o.lifecycle.work.Go(o.tails.releaseLoop)
	o.lifecycle.work.Go(o.content.destroyLoop)
	o.lifecycle.work.Go(o.content.compactLoop)
	return o, nil
}

func (c *Config) fill() {
	c.Settings.fill()
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
