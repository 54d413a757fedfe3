package poolmanager

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// step is one thing that happens to a pool.
type step struct {
	what string
	pool string
	wait time.Duration // afterwards; 0: the next comes in the same moment
}

var steps = []string{"task", "task", "task", "release", "hang up", "preload", "offer", "drain", "stop", "reload", "bad reload", "crash", "hang", "time"}

// TestSlotsAndEnginesAddUpWhateverComesInWhateverOrder runs random programs of
// tasks, hang-ups, commands and failures against three pools of which two fit,
// and looks after each step: no slot is negative or over, no engine runs twice,
// memory is not overrun; and at the end that nothing was leaked.
func TestSlotsAndEnginesAddUpWhateverComesInWhateverOrder(t *testing.T) {
	programs := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
		return step{
			rapid.SampledFrom(steps).Draw(r, "what"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "pool"),
			rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, time.Second, 4 * time.Second, 15 * time.Second, 3 * time.Minute}).Draw(r, "wait"),
		}
	}), 1, 40)
	rapid.Check(t, func(r *rapid.T) {
		program := programs.Draw(r, "program")
		var broken error
		synctest.Test(t, func(t *testing.T) { broken = play(t, program) })
		if broken != nil {
			r.Fatal(broken)
		}
	})
}

// play runs a program in a bubble.
func play(t *testing.T, program []step) error {
	plans, templates := three()
	for i := range templates {
		templates[i].TTL = 2 * time.Minute
	}
	illegal := &testkit.Buffer{}
	s := &stand{total: 100, reading: 300 * time.Millisecond, plans: plans, running: map[*instance]*standIn{}, starts: map[string][]time.Time{}}
	env := &environment{
		engines: standEngines{s}, log: slog.New(slog.NewTextHandler(illegal, &slog.HandlerOptions{Level: slog.LevelError})),
		times: defaultTimings, vram: func([]string) int64 { return 0 }, changed: func() {},
	}
	env.ledger = newLedger(s.free, s.total, minStay, env.log)
	m, err := newManager(env, templates)
	if err != nil {
		return err
	}
	env.metrics = newMetrics(m.list)
	env.ledger.pools = m.list
	b := &bubble{m, s, illegal, t}
	b.offered("a", "b", "c")
	callers := map[string][]func(){}
	for i, step := range program {
		b.play(step, callers)
		if step.wait > 0 {
			<-time.After(step.wait)
			synctest.Wait()
		}
		if err := b.holds(step.wait > 0); err != nil {
			return fmt.Errorf("after step %d, %+v: %w", i, step, err)
		}
	}
	for _, hangUps := range callers {
		for _, hangUp := range hangUps {
			hangUp()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := b.stopAll(ctx); err != nil {
		return err
	}
	<-time.After(time.Minute) // callers' own waits end
	synctest.Wait()
	if strings.Contains(illegal.String(), "illegal move") {
		return fmt.Errorf("log: %s", illegal)
	}
	return b.leftovers()
}

// play makes one step happen, in a goroutine of its own where a caller would wait.
func (b *bubble) play(s step, callers map[string][]func()) {
	p := b.pool(s.pool)
	ctx, hangUp := context.WithTimeout(context.Background(), 5*time.Minute)
	background := func(f func()) {
		go func() { defer hangUp(); f() }()
	}
	pop := func() {
		if list := callers[s.pool]; len(list) > 0 {
			list[0]()
			callers[s.pool] = list[1:]
		}
	}
	switch s.what {
	case "task":
		callers[s.pool] = append(callers[s.pool], hangUp)
		background(func() { b.caller(ctx, p) })
		return
	case "release", "hang up":
		pop()
	case "preload":
		_, _ = b.preload(s.pool, nodeapi.PreloadRequest{Template: s.pool})
	case "offer":
		_, _ = b.offer(s.pool, s.pool, "")
	case "drain":
		background(func() { _, _ = b.drain(ctx, s.pool, 3*time.Second) })
		return
	case "stop":
		_, _ = b.stop(s.pool)
	case "reload":
		background(func() { _, _ = b.reload(ctx, s.pool, "other") })
		return
	case "bad reload":
		b.failNext(s.pool)
		background(func() { _, _ = b.reload(ctx, s.pool, "bad") })
		return
	case "crash":
		if inst := p.instance(); inst != nil {
			b.stand.crash(inst)
		}
	case "hang":
		if inst := p.instance(); inst != nil {
			b.stand.hang(inst, true)
		}
	}
	hangUp()
}

// caller is a dispatch: it takes a slot, waits for the engine, works until it
// hangs up or its slot is taken away.
func (b *bubble) caller(ctx context.Context, p *pool) {
	l, err := p.acquire(ctx, "", "", 0)
	if err != nil {
		return
	}
	defer l.release()
	if err = l.await(memoryWait); err == errLoading {
		err = l.await(0)
	}
	if err == nil {
		<-l.ctx.Done()
	}
}

// failNext lets the next start of a pool's engine fail.
func (b *bubble) failNext(id string) {
	b.stand.mu.Lock()
	defer b.stand.mu.Unlock()
	plan := b.stand.plans[id]
	plan.lives = time.Second // before it is ready
	b.stand.plans[id] = plan
	time.AfterFunc(30*time.Second, func() {
		b.stand.mu.Lock()
		defer b.stand.mu.Unlock()
		plan.lives = 0
		b.stand.plans[id] = plan
	})
}

// holds looks at everything that must be true in every moment; what the
// orchestrator is told is compared when nothing moves.
func (b *bubble) holds(still bool) error {
	for _, p := range b.list() {
		s := p.status()
		r := p.report()
		switch {
		case s.ActiveLeases < 0 || s.ActiveLeases > s.SlotsTotal:
			return fmt.Errorf("%d tasks in %d slots", s.ActiveLeases, s.SlotsTotal)
		case s.SlotsFree < 0 || s.SlotsFree > s.SlotsTotal || (s.Ready || s.Loadable) && s.SlotsFree+s.ActiveLeases != s.SlotsTotal:
			return fmt.Errorf("slots do not add up: %+v", s)
		case still && (r.Ready != (s.Ready || s.Loadable) || r.SlotsFree != s.SlotsFree || s.Ready && !s.Live):
			return fmt.Errorf("told %+v, is %+v", r, s)
		}
	}
	b.stand.mu.Lock()
	defer b.stand.mu.Unlock()
	switch {
	case b.stand.twice:
		return fmt.Errorf("two engines run for one pool")
	case b.stand.over:
		return fmt.Errorf("more memory is taken than there is")
	}
	return nil
}
