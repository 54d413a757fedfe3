package poolmanager

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"

	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/client"
)

// What a pool answers when it cannot do what was asked.
var (
	errNotReady = errors.New("the pool is not ready")
	errNoSlot   = errors.New("every slot of the pool is taken")
	errBusy     = errors.New("the pool runs something else")
	errModel    = errors.New("the pool does not hold that model")
	errWorkload = errors.New("the pool does not take this workload")
	errRollback = errors.New("the new model did not start; the old one serves again")
)

// environment is what all pools of one service share.
type environment struct {
	dir     *runtimeDir
	root    string // of model files
	http    *http.Client
	log     *slog.Logger
	times   timings
	metrics *metrics
	vram    func() int64 // free bytes of all devices
	changed func()       // tells the registration that a pool changed
}

// launchSpec is what a pool runs.
type launchSpec struct {
	template Template
	model    model
}

// pool is one engine and its slots. One goroutine, supervise, decides about its
// life; everybody else reads the state, takes slots, and asks through commands.
// The lock is never held over a spawn, a probe or a wait.
type pool struct {
	id   string
	env  *environment
	logs *logRing

	commands chan command
	kick     chan struct{} // an operator's wish to restart now

	mu       sync.Mutex
	state    State
	spec     launchSpec
	inst     *instance
	leases   map[*lease]struct{}
	restarts int
	lastErr  string
	breaker  breakerState
	waiters  chan struct{} // closed and replaced at each change
	stop     context.CancelFunc
	done     chan struct{} // closed when supervise has ended
}

func newPool(id string, env *environment) *pool {
	ended := make(chan struct{})
	close(ended)
	return &pool{
		id: id, env: env, logs: &logRing{}, state: StateStopped,
		commands: make(chan command), kick: make(chan struct{}, 1),
		leases: map[*lease]struct{}{}, waiters: make(chan struct{}), stop: func() {}, done: ended,
	}
}

// start begins supervision; a pool that runs the same already is left alone,
// and tries again at once if it waits for a restart.
func (p *pool) start(spec launchSpec) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
	default:
		if p.spec.template.Name != spec.template.Name || p.spec.model.ref != spec.model.ref || p.state == StateStopping {
			return errBusy
		}
		select {
		case p.kick <- struct{}{}:
		default:
		}
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.spec, p.stop, p.done, p.restarts, p.lastErr = spec, cancel, make(chan struct{}), 0, ""
	select {
	case <-p.kick:
	default:
	}
	p.set(StateStarting)
	go p.supervise(ctx, p.done)
	return nil
}

// set moves the state; the caller holds the lock. A move that the table does
// not have is a defect of ours: it is logged and not made.
func (p *pool) set(next State) {
	if p.state == next {
		return
	}
	if !p.state.mayBecome(next) {
		p.env.log.Error("illegal move of a pool's state", "pool_id", p.id, "from", p.state, "to", next)
		return
	}
	p.env.log.Info("pool state", "pool_id", p.id, "from", p.state, "to", next)
	p.state = next
	p.announce()
	p.env.changed()
}

// announce wakes everybody who waits for a change; the caller holds the lock.
func (p *pool) announce() {
	close(p.waiters)
	p.waiters = make(chan struct{})
}

func (p *pool) move(next State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(next)
}

func (p *pool) current() (State, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.waiters
}

// await waits until one of the states is reached or ctx ends.
func (p *pool) await(ctx context.Context, states ...State) State {
	for {
		state, changed := p.current()
		if slices.Contains(states, state) {
			return state
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return state
		}
	}
}

// status is a copy of the present state; it never waits for the engine.
func (p *pool) status() client.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := client.Status{
		PoolID: p.id, Engine: p.spec.template.Engine, ModelRef: p.spec.model.ref, State: string(p.state),
		Live: p.inst != nil, Ready: p.state == StateReady, Draining: p.state == StateDraining,
		SlotsTotal: p.spec.template.Slots, ActiveLeases: len(p.leases),
		Restarts: p.restarts, VRAMFreeBytes: p.env.vram(), LastError: p.lastErr,
		Workloads: p.spec.template.workloads(),
	}
	if s.Ready {
		s.SlotsFree = s.SlotsTotal - s.ActiveLeases
	}
	return s
}

// report is what the orchestrator is told.
func (p *pool) report() client.Pool {
	s := p.status()
	p.mu.Lock()
	defer p.mu.Unlock()
	models := []string{}
	if p.inst != nil && s.Ready {
		models = slices.Clone(p.inst.models)
	}
	return client.Pool{
		PoolID: s.PoolID, Engine: s.Engine, ModelRef: s.ModelRef, Ready: s.Ready, Draining: s.Draining,
		SlotsFree: s.SlotsFree, SlotsTotal: s.SlotsTotal, VRAMFreeBytes: s.VRAMFreeBytes, Models: models,
		Workloads: s.Workloads,
	}
}

// lease is one taken slot and the way to take it away again.
type lease struct {
	cancel context.CancelCauseFunc
}

// acquire takes a slot of a ready pool. release gives it back and may be called
// more than once; ctx ends when the slot is taken away.
func (p *pool) acquire(parent context.Context, modelRef, workload string) (ctx context.Context, inst *instance, model string, release func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.state != StateReady:
		return nil, nil, "", nil, errNotReady
	case !p.spec.template.takes(workload):
		return nil, nil, "", nil, errWorkload
	case len(p.leases) >= p.spec.template.Slots:
		return nil, nil, "", nil, errNoSlot
	}
	if model, err = p.chooseModel(modelRef); err != nil {
		return nil, nil, "", nil, err
	}
	ctx, cancel := context.WithCancelCause(parent)
	l := &lease{cancel}
	p.leases[l] = struct{}{}
	return ctx, p.inst, model, func() { p.release(l) }, nil
}

func (p *pool) release(l *lease) {
	l.cancel(nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, held := p.leases[l]; held {
		delete(p.leases, l)
		p.announce()
	}
}

// chooseModel gives the name that the engine knows the model by; the caller
// holds the lock.
func (p *pool) chooseModel(ref string) (string, error) {
	switch {
	case ref == "" || ref == p.spec.model.ref:
		if p.spec.model.name != "" {
			return p.spec.model.name, nil
		}
		if len(p.inst.models) > 0 {
			return p.inst.models[0], nil
		}
		return "", errModel
	case slices.Contains(p.inst.models, ref):
		return ref, nil
	}
	return "", errModel
}

// dropLeases ends every running task with a reason that its caller reads.
func (p *pool) dropLeases(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.leases {
		l.cancel(&adapter.Error{Class: adapter.ClassReset, Message: why})
	}
}
