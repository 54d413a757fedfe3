package poolmanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// stand is a machine for bubbles: engines that are no processes, with memory
// that is taken and freed, on the bubble's clock.
type stand struct {
	total   int64         // memory of the machine
	reading time.Duration // how long it takes to measure it

	mu      sync.Mutex
	plans   map[string]plan // by template
	running map[*instance]*standIn
	starts  map[string][]time.Time // by pool
	twice   bool                   // two engines ran for one pool
	over    bool                   // more memory was taken than there is
	models  []string               // what engines that list their models answer
}

// plan is how the engines of one template behave.
type plan struct {
	bytes int64         // what one takes
	load  time.Duration // until it is ready
	lives time.Duration // until it ends by itself; 0: for ever
	stuck bool          // it does not end on TERM
	fails string        // it cannot be started
}

// standIn is one running engine.
type standIn struct {
	pool  string
	plan  plan
	ready time.Time
	gone  chan struct{}
	hung  bool
	busy  bool
	ended bool
}

func (s *stand) spawn(poolID string, spec launchSpec, _ *logRing) (*instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plans[spec.template.Name]
	s.starts[poolID] = append(s.starts[poolID], time.Now())
	if p.fails != "" {
		return nil, errors.New(p.fails)
	}
	for _, other := range s.running {
		s.twice = s.twice || other.pool == poolID
	}
	in := &standIn{pool: poolID, plan: p, ready: time.Now().Add(p.load), gone: make(chan struct{})}
	inst := &instance{template: spec.template, gone: in.gone, why: func() *failure { return &failure{ReasonExit, "it ended"} }}
	s.running[inst] = in
	var whole int64
	for _, other := range s.running {
		whole += other.plan.bytes
	}
	s.over = s.over || s.total > 0 && whole > s.total
	if p.lives > 0 {
		time.AfterFunc(p.lives, func() { s.crash(inst) })
	}
	return inst, nil
}

// crash ends an engine as if by itself.
func (s *stand) crash(inst *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.running[inst]; in != nil && !in.ended {
		in.ended = true
		close(in.gone)
	}
}

func (s *stand) hang(inst *instance, hung bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.running[inst]; in != nil {
		in.hung = hung
	}
}

// occupy has an engine answer its probes that it is busy.
func (s *stand) occupy(inst *instance, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.running[inst]; in != nil {
		in.busy = busy
	}
}

func (s *stand) end(_ string, inst *instance, grace time.Duration) {
	s.mu.Lock()
	stuck := s.running[inst] != nil && s.running[inst].plan.stuck
	s.mu.Unlock()
	if stuck {
		<-time.After(grace)
	}
	s.crash(inst)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, inst)
}

func (s *stand) probe(ctx context.Context, inst *instance) error {
	s.mu.Lock()
	in := s.running[inst]
	hung, loading := in == nil || in.hung, in != nil && time.Now().Before(in.ready)
	busy := in != nil && in.busy
	s.mu.Unlock()
	if hung {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	if loading {
		return errors.New("it loads")
	}
	if busy {
		return errEngineBusy
	}
	return nil
}

func (s *stand) modelsOf() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.models
}

// standEngines gives the stand the method models beside its field of that name.
type standEngines struct{ *stand }

func (s standEngines) listed(context.Context, *instance) []nodeapi.ListedModel        { return nil }
func (s standEngines) contexts(context.Context, *instance, []string) map[string]int64 { return nil }

func (s standEngines) models(context.Context, *instance) ([]string, error) {
	if list := s.modelsOf(); list != nil {
		return list, nil
	}
	return nil, errors.New("no list")
}

// free measures the memory, which an engine takes little by little while it
// loads. Like nvidia-smi it takes its time, and its answer is of the beginning.
func (s *stand) free(ctx context.Context, _ []string) (int64, error) {
	s.mu.Lock()
	free := s.total
	for _, in := range s.running {
		share := 1.0
		if left := time.Until(in.ready); left > 0 {
			share = 1 - float64(left)/float64(in.plan.load)
		}
		free -= int64(share * float64(in.plan.bytes))
	}
	s.mu.Unlock()
	select {
	case <-time.After(s.reading):
		return free, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (s *stand) count(poolID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.starts[poolID])
}

// bubble is a manager on a stand.
type bubble struct {
	*manager
	stand *stand
	log   *testkit.Buffer // of defects of ours
	t     *testing.T
}

// template of an engine that may be swapped, with two slots.
func swappable(name string) Template {
	return Template{
		Name: name, Engine: "stand-in", Dialect: adapter.LlamaCPP, Command: []string{"engine", "{port}"}, Model: "m",
		HealthPath: "/health", Slots: 2, Swap: true, ReadyLimit: time.Minute, StopGrace: time.Second,
	}
}

// inBubble runs f with a manager of the given templates, and looks afterwards
// that nothing is left.
func inBubble(t *testing.T, total int64, plans map[string]plan, templates []Template, f func(*bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{total: total, plans: plans, running: map[*instance]*standIn{}, starts: map[string][]time.Time{}}
		log := &testkit.Buffer{}
		env := &environment{
			engines: standEngines{s}, log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError})), times: defaultTimings,
			vram: func([]string) int64 { return 0 }, changed: func() {},
		}
		env.ledger = newLedger(s.free, s.total, minStay, env.log)
		if total == 0 {
			env.ledger.read = nil
		}
		m, err := newManager(env, templates)
		if err != nil {
			t.Fatal(err)
		}
		env.metrics = newMetrics(m.list)
		env.ledger.pools = m.list
		b := &bubble{m, s, log, t}
		f(b)
		b.finish()
	})
}

// finish stops everything: no engine, slot or reservation may be left.
func (b *bubble) finish() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := b.stopAll(ctx); err != nil {
		b.t.Error(err)
	}
	synctest.Wait()
	if err := b.leftovers(); err != nil {
		b.t.Error(err)
	}
}

func (b *bubble) leftovers() error {
	for _, p := range b.list() {
		if s := p.status(); s.State != "stopped" || s.ActiveLeases != 0 || s.Live || s.Loadable {
			return fmt.Errorf("pool left as %+v", s)
		}
	}
	b.stand.mu.Lock()
	defer b.stand.mu.Unlock()
	l := b.env.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(b.stand.running) > 0:
		return fmt.Errorf("%d engines were left", len(b.stand.running))
	case len(l.loading) > 0 || len(l.turn) > 0:
		return fmt.Errorf("%d reservations and %d turns were left", len(l.loading), len(l.turn))
	case b.log.String() != "":
		return errors.New(b.log.String())
	case b.stand.twice:
		return errors.New("two engines ran for one pool")
	case b.stand.over:
		return errors.New("more memory was taken than there is")
	}
	return nil
}

func (b *bubble) pool(id string) *pool {
	b.t.Helper()
	p, err := b.find(id)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// ready preloads a pool of the template of the same name and waits for it.
func (b *bubble) ready(id string) *pool {
	b.t.Helper()
	p, err := b.preload(id, nodeapi.PreloadRequest{Template: id})
	if err != nil {
		b.t.Fatal(err)
	}
	if got := p.await(b.t.Context(), StateReady, StateFailed); got != StateReady {
		b.t.Fatalf("pool %s: %+v", id, p.status())
	}
	return p
}

// task takes a slot as a dispatch does, and waits for the engine.
func (b *bubble) task(id string) (*slot, error) {
	p := b.pool(id)
	l, err := p.acquire(b.t.Context(), "", "", 0)
	if err != nil {
		return nil, err
	}
	if err = l.await(memoryWait); errors.Is(err, errLoading) {
		err = l.await(0)
	}
	if err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (p *pool) instance() *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inst
}
