package poolmanager

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// What a pool answers when it cannot do what was asked.
var (
	errNotReady = errors.New("the pool is not ready")
	errNoSlot   = errors.New("all slots of the pool are in use")
	errBusy     = errors.New("the pool runs something else")
	errModel    = errors.New("the pool does not have that model")
	errWorkload = errors.New("the pool does not take this workload")
	errRollback = errors.New("the new model did not start; the old one serves again")
	// errLoading is not an answer: the load goes on, and the caller with it.
	errLoading   = errors.New("the engine is being loaded")
	errReloading = errors.New("the reload takes longer than a caller waits")
	errHanded    = errors.New("the engine of this pool is managed by another program (handoff file)")
)

// environment is what all pools of one service share.
type environment struct {
	dir     *runtimeDir
	root    string // of model files
	engines engines
	ledger  *ledger
	stage   stageFunc
	http    *http.Client
	log     *slog.Logger
	times   timings
	metrics *metrics
	vram    func(devices []string) int64 // free bytes of these devices, or of all
	changed func()                       // tells the registration that a pool changed

	stopping atomic.Bool // the service stops
}

// launchSpec is what a pool runs.
type launchSpec struct {
	template Template
	rules    *requestRules // of the template
	model    model
	size     int64 // bytes of the model's file; 0 when there is none
	handed   bool  // by a handoff file: the engine runs already
}

func newLaunchSpec(t Template, m model) (launchSpec, error) {
	rules, err := newRequestRules(t)
	return launchSpec{template: t, rules: rules, model: m}, err
}

// key identifies a measurement of memory.
func (s launchSpec) key() string { return s.template.Name + "\x00" + s.model.ref }

// pool is one engine and its slots. One goroutine, supervise, decides about its
// life; other goroutines read the state, take slots, and send commands.
// The lock is never held over a spawn, a probe or a wait.
type pool struct {
	id   string
	env  *environment
	logs *logRing

	commands chan command
	kick     chan struct{} // an operator's request to restart now
	stalled  chan *failure // tasks stalled in the engine, once too often

	mu       sync.Mutex
	state    State
	spec     launchSpec
	inst     *instance
	models   []string // what the engine serves, as last heard
	contexts map[string]int64
	listed   []nodeapi.ListedModel // what it tells of them; never changed in place
	unusable []string              // what it lists besides, as last logged
	taken    map[*slot]struct{}
	restarts int
	suspect  stallHistory
	lastErr  string
	breaker  breakerState
	progress *nodeapi.Progress // never changed in place
	waiters  chan struct{}     // closed and replaced at each change

	unanswered string    // why a start is not finished yet
	nextStart  time.Time // when a failed pool tries again
	stop       context.CancelFunc
	done       chan struct{} // closed when supervise has ended

	loadable       bool          // a task may start the engine
	forTask        bool          // started for a task: cancelled when no task waits any more
	unloading      bool          // it stops by eviction, or because it was idle
	ending         bool          // a stop was requested
	again          bool          // a task came while it stopped: start once more
	fallback       *launchSpec   // offered once it has ended
	waitsForMemory bool          // it waits for memory
	bytes          int64         // memory that its engine holds; 0 when not known
	used           time.Time     // when the last task ended
	readyAt        time.Time     // when the engine became ready
	loadTook       time.Duration // and how long that took
}

func newPool(id string, env *environment) *pool {
	ended := make(chan struct{})
	close(ended)
	return &pool{
		id: id, env: env, logs: &logRing{}, state: StateStopped,
		commands: make(chan command), kick: make(chan struct{}, 1), stalled: make(chan *failure, 1),
		taken: map[*slot]struct{}{}, waiters: make(chan struct{}), stop: func() {}, done: ended,
	}
}

// start begins supervision. A pool that runs the same already is not changed; if it
// waits for a restart, it restarts at once.
func (p *pool) start(spec launchSpec) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.supervised() {
		if p.spec.key() != spec.key() || p.spec.handed != spec.handed || p.ending || p.state == StateStopping && !p.unloading {
			return errBusy
		}
		p.forTask, p.loadable, p.again = false, spec.template.Swap, p.unloading
		select {
		case p.kick <- struct{}{}:
		default:
		}
		return nil
	}
	p.spec, p.models, p.lastErr = spec, nil, ""
	p.loadable, p.forTask = spec.template.Swap, false
	p.begin()
	return nil
}

// offer makes the pool one that the first task starts.
func (p *pool) offer(spec launchSpec) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.supervised() {
		return errBusy
	}
	p.spec, p.models, p.loadable = spec, nil, true
	p.announce()
	return nil
}

// supervised reports whether supervise runs; the caller holds the lock.
func (p *pool) supervised() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// begin starts supervise; the caller holds the lock, and nothing runs.
func (p *pool) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	p.stop, p.done, p.restarts = cancel, make(chan struct{}), 0
	p.unloading, p.again, p.ending, p.fallback = false, false, false, nil
	select {
	case <-p.kick:
	default:
	}
	p.set(StateStarting)
	go p.supervise(ctx, p.done)
}

// set changes the state; the caller holds the lock. A transition that is not in the
// table is a bug: it is logged and not made.
func (p *pool) set(next State) {
	if p.state == next {
		return
	}
	if !p.state.mayBecome(next) {
		p.env.log.Error("illegal pool state transition", "pool_id", p.id, "from", p.state, "to", next)
		return
	}
	p.env.log.Info("pool state changed", "pool_id", p.id, "from", p.state, "to", next)
	p.state = next
	if next != StateStarting {
		p.progress, p.waitsForMemory = nil, false
	}
	p.unanswered, p.nextStart = "", time.Time{}
	p.announce()
	p.env.changed()
}

// announce wakes all goroutines that wait for a change; the caller holds the lock.
func (p *pool) announce() {
	close(p.waiters)
	p.waiters = make(chan struct{})
	p.env.ledger.wakeWaiters()
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

// takes reports whether a task is taken now although no engine is ready: it is
// being loaded, or will be; the caller holds the lock.
func (p *pool) takes() bool {
	switch p.state {
	case StateStopped, StateStarting:
		return p.loadable
	case StateStopping:
		return p.loadable && p.unloading
	}
	return false
}

// status is a copy of the present state; it never waits for the engine.
func (p *pool) status() nodeapi.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := nodeapi.Status{
		PoolID: p.id, Engine: p.spec.template.Engine, ModelRef: p.spec.model.ref, State: string(p.state),
		Live: p.inst != nil, Ready: p.state == StateReady, Draining: p.state == StateDraining,
		SlotsTotal: p.spec.template.Slots, ActiveLeases: len(p.taken),
		Restarts: p.restarts, VRAMFreeBytes: p.env.vram(p.spec.template.Devices), LastError: p.lastErrorText(), NextStart: p.nextStartTime(),
		Workloads: p.spec.template.workloads(), Protocols: p.protocols(), Loadable: p.takes(), Progress: p.progress,
		Suspect: p.inst != nil && p.suspect.recent(time.Now()) > 0,
	}
	if s.Ready || s.Loadable {
		s.SlotsFree = s.SlotsTotal - s.ActiveLeases
	}
	return s
}

// listing is what an engine that is ready last told of its models, for one that asks.
func (p *pool) listing() []nodeapi.ListedModel {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != StateReady {
		return nil
	}
	return p.listed
}

// report is what the orchestrator is told: a pool that would load its model for a
// task counts as ready for one.
func (p *pool) report() nodeapi.Pool {
	s := p.status()
	p.mu.Lock()
	defer p.mu.Unlock()
	models := []string{}
	if s.Ready || s.Loadable {
		models = p.serves()
	}
	told := nodeapi.Pool{
		PoolID: s.PoolID, Engine: s.Engine, ModelRef: s.ModelRef, Ready: s.Ready || s.Loadable, Draining: s.Draining,
		SlotsFree: s.SlotsFree, SlotsTotal: s.SlotsTotal, VRAMFreeBytes: s.VRAMFreeBytes, Models: models,
		Workloads: nodeapi.WithProtocols(s.Workloads, s.Protocols), Loadable: s.Loadable,
	}
	contexts := make([]int64, len(models))
	for i, name := range models {
		contexts[i] = p.contexts[name]
	}
	told.Workloads = nodeapi.WithContexts(nodeapi.WithDeterminism(told.Workloads, p.spec.template.Deterministic), contexts)
	if !told.Ready {
		told.State, told.Restarts, told.LastError = s.State, s.Restarts, s.LastError
	}
	return told
}

// protocols is the APIs that pass through; the caller holds the lock. A pool without a
// template has none.
func (p *pool) protocols() []nodeapi.Protocol {
	if p.spec.template.Name == "" {
		return nil
	}
	return p.spec.template.protocols()
}

// serves is the models that a task may name; the caller holds the lock.
func (p *pool) serves() []string {
	if p.models != nil {
		return slices.Clone(p.models)
	}
	if p.spec.model.ref != "" {
		return []string{p.spec.model.ref}
	}
	return []string{}
}
