package poolmanager

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// three engines, two of which fit.
func three() (map[string]plan, []Template) {
	plans, templates := map[string]plan{}, []Template{}
	for _, name := range []string{"a", "b", "c"} {
		plans[name] = plan{bytes: 40, load: 3 * time.Second}
		t := swappable(name)
		t.MemoryBytes = 40
		templates = append(templates, t)
	}
	return plans, templates
}

func (b *bubble) offered(ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		if _, err := b.offer(id, id, ""); err != nil {
			b.t.Fatal(err)
		}
	}
}

// served runs one task to its end and gives how long its engine took.
func (b *bubble) served(id string) time.Duration {
	b.t.Helper()
	begin := time.Now()
	l, err := b.task(id)
	if err != nil {
		b.t.Fatalf("a task for %s: %v", id, err)
	}
	l.release()
	return time.Since(begin)
}

func (b *bubble) states(ids ...string) (list string) {
	for _, id := range ids {
		list += b.pool(id).status().State + " "
	}
	return list
}

func TestATaskLoadsItsEngineAndTheLeastRecentlyUsedIsEvicted(t *testing.T) {
	plans, templates := three()
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.offered("a", "b", "c")
		if r := b.pool("a").report(); !r.Ready || !r.Loadable || r.SlotsFree != 2 || len(r.Models) != 1 || r.Models[0] != "m" {
			b.t.Errorf("before the first task the orchestrator is told %+v", r)
		}
		if s := b.pool("a").status(); s.State != "stopped" || s.Ready || s.Live || !s.Loadable {
			b.t.Errorf("and the status is %+v", s)
		}
		b.served("a")
		b.served("b")
		<-time.After(minStay)
		b.served("a")
		b.served("c")
		if got := b.states("a", "b", "c"); got != "ready stopped ready " {
			b.t.Errorf("a was used after b, so b makes room for c: %s", got)
		}
		if r := b.pool("b").report(); !r.Ready || !r.Loadable {
			b.t.Errorf("b takes tasks still: %+v", r)
		}
		<-time.After(minStay)
		b.served("b")
		if got := b.states("a", "b", "c"); got != "stopped ready ready " {
			b.t.Errorf("now a makes room for b: %s", got)
		}
	})
}

func TestAnEngineWithATaskIsNeverEvicted(t *testing.T) {
	plans, templates := three()
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.offered("a", "b", "c")
		var held []*slot
		for _, id := range []string{"a", "b"} {
			l, err := b.task(id)
			if err != nil {
				b.t.Fatal(err)
			}
			held = append(held, l)
		}
		<-time.After(time.Hour)
		begin := time.Now()
		if _, err := b.task("c"); !errors.Is(err, errNoMemory) || time.Since(begin) != memoryWait {
			b.t.Errorf("a task for c: %v after %v, want no room after %v", err, time.Since(begin), memoryWait)
		}
		synctest.Wait()
		if got := b.states("a", "b", "c"); got != "ready ready stopped " || b.stand.count("c") != 0 {
			b.t.Errorf("states %s, %d starts of c", got, b.stand.count("c"))
		}
		go func() { <-time.After(time.Second); held[0].release() }()
		if took := b.served("c"); took > memoryWait {
			b.t.Errorf("a slot came free after 1 s, c was ready after %v", took)
		}
		held[1].release()
	})
}

func TestAnEngineStaysAsLongAsItsLoadTook(t *testing.T) {
	plans, templates := three()
	for name := range plans {
		plans[name] = plan{bytes: 80, load: 20 * time.Second}
	}
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.offered("a", "b")
		// Two callers who want different models, each again and again, for an hour.
		loads := func() int { return b.stand.count("a") + b.stand.count("b") }
		end := time.Now().Add(time.Hour)
		for time.Now().Before(end) {
			for _, id := range []string{"a", "b"} {
				if l, err := b.task(id); err == nil {
					<-time.After(100 * time.Millisecond)
					l.release()
				}
			}
		}
		if got, most := loads(), 1+int(time.Hour/(40*time.Second)); got > most || got < most/2 {
			b.t.Errorf("%d loads of 20 s within an hour, want at most half of the time: %d", got, most)
		}
	})
}

func TestMeasuredMemoryOverridesTheDeclaredOne(t *testing.T) {
	plans, templates := three()
	plans["a"] = plan{bytes: 70, load: time.Second} // it says 40
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.offered("a", "b")
		b.served("a")
		synctest.Wait() // it is measured after it is ready
		if got := b.pool("a").memory(); got != 70 {
			b.t.Errorf("a holds %d, want the 70 that were measured", got)
		}
		<-time.After(minStay)
		b.served("b")
		if got := b.states("a", "b"); got != "stopped ready " {
			b.t.Errorf("states %s", got)
		}
		<-time.After(minStay)
		b.served("a") // 60 are free: enough for what was declared
		if got := b.states("a", "b"); got != "ready stopped " {
			b.t.Errorf("states %s: a was loaded into what it does not fit", got)
		}
	})
}

func TestAnEngineThatCanNeverFitIsRefusedWithoutEvictions(t *testing.T) {
	plans, templates := three()
	templates[2].MemoryBytes = 101
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.offered("a", "c")
		b.served("a")
		<-time.After(time.Minute)
		if _, err := b.task("c"); err == nil {
			b.t.Error("it was loaded")
		}
		if s := b.pool("c").status(); s.State != "failed" || s.LastError != "out_of_memory: not enough memory: 101 bytes are needed, 100 is the budget" {
			b.t.Errorf("status %+v", s)
		}
		if r := b.pool("c").report(); r.Ready || r.Loadable {
			b.t.Errorf("the orchestrator is told %+v", r)
		}
		if got := b.states("a"); got != "ready " {
			b.t.Errorf("a is %s", got)
		}
	})
}

func TestAPreloadEvictsAnIdleEngineAndWaitsForItsMemory(t *testing.T) {
	plans, templates := three()
	for i := range templates {
		templates[i].MemoryBytes = 80
	}
	templates[1].Swap = false
	plans["a"], plans["b"] = plan{bytes: 80, load: time.Second}, plan{bytes: 80, load: time.Second}
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.offered("a")
		l, err := b.task("a")
		if err != nil {
			b.t.Fatal(err)
		}
		p, err := b.preload("b", nodeapi.PreloadRequest{Template: "b"})
		if err != nil {
			b.t.Fatal(err)
		}
		<-time.After(30 * time.Second)
		if got := b.states("a", "b"); got != "ready starting " {
			b.t.Errorf("while a works: %s", got)
		}
		l.release()
		if got := p.await(b.t.Context(), StateReady, StateFailed); got != StateReady {
			b.t.Errorf("b is %s: %s", got, p.status().LastError)
		}
		if got := b.states("a", "b"); got != "stopped ready " {
			b.t.Errorf("afterwards: %s", got)
		}
		<-time.After(time.Hour)
		if _, err := b.task("a"); err == nil {
			b.t.Error("an engine that may not be swapped made room")
		}
	})
}

func TestTwoEnginesThatAreLoadedTogetherDoNotReserveTheSameMemory(t *testing.T) {
	plans, templates := three()
	for i, name := range []string{"a", "b", "c"} {
		plans[name], templates[i].MemoryBytes = plan{bytes: 60, load: 30 * time.Second}, 60
	}
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.offered("a", "b", "c")
		for _, id := range []string{"a", "b", "c"} {
			if _, err := b.preload(id, nodeapi.PreloadRequest{Template: id}); err != nil {
				b.t.Fatal(err)
			}
		}
		<-time.After(time.Minute)
		synctest.Wait()
		b.stand.mu.Lock()
		defer b.stand.mu.Unlock()
		if b.stand.over || len(b.stand.running) != 1 {
			b.t.Errorf("%d engines of 60 run in 100", len(b.stand.running))
		}
	})
}

func TestTheSlotsOfAnEngineThatBrokeAreFreeAtOnce(t *testing.T) {
	inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
		p := b.ready("p")
		l, err := b.task("p")
		if err != nil {
			b.t.Fatal(err)
		}
		b.stand.crash(p.instance())
		<-time.After(2 * time.Second)
		if s := p.status(); !s.Ready || s.SlotsFree != 2 || l.ctx.Err() == nil {
			b.t.Errorf("after the restart, while the caller of the broken task still reads: %+v", s)
		}
		l.release()
		if s := p.status(); s.SlotsFree != 2 || s.ActiveLeases != 0 {
			b.t.Errorf("after it let go: %+v", s)
		}
	})
}

func TestATaskThatComesAsAStartIsCancelledGetsAStartOfItsOwn(t *testing.T) {
	inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
		b.offered("p")
		p := b.pool("p")
		p.mu.Lock()
		p.done = make(chan struct{}) // as if supervise were about to give up
		p.set(StateStarting)
		done := p.done
		p.mu.Unlock()
		l, err := p.acquire(b.t.Context(), "", "", 0)
		if err != nil {
			b.t.Fatal(err)
		}
		p.cancelLoad()
		p.finish(done)
		if err := l.await(0); err != nil {
			b.t.Error(err)
		}
		l.release()
	})
}

func TestOnAGPUAnEngineThatSeemsNotToFitIsTriedWhenNoneIsLeftToEvict(t *testing.T) {
	plans, templates := three()
	templates[0].MemoryBytes = 150 // a part of it stays in main memory
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.env.ledger.budget = 0
		b.offered("a", "b")
		b.served("b")
		<-time.After(minStay)
		b.served("a")
		if got := b.states("a", "b"); got != "ready stopped " {
			b.t.Errorf("states %s", got)
		}
	})
}

func TestEnginesThatMayNotBeEvictedAreNotWaitedFor(t *testing.T) {
	plans, templates := three()
	templates[0].Swap, templates[1].MemoryBytes = false, 80
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.ready("a")
		b.offered("b")
		begin := time.Now()
		if _, err := b.task("b"); err == nil || time.Since(begin) > time.Second {
			b.t.Errorf("got %v after %v", err, time.Since(begin))
		}
		if s := b.pool("b").status(); s.LastError != "out_of_memory: not enough memory: 80 bytes are needed, 60 are free, and no engine can be evicted" {
			b.t.Errorf("last error %q", s.LastError)
		}
	})
}

func TestALoadThatCameWhileAnotherWasMeasuredIsWoken(t *testing.T) {
	plans, templates := three()
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.stand.reading = time.Second
		b.offered("a", "b")
		a, err := b.task("a")
		if err != nil {
			b.t.Fatal(err)
		}
		// a is ready, but its memory is still being measured, and counts twice.
		if took := b.served("b"); took > 6*time.Second {
			b.t.Errorf("b took %v, though it fits", took)
		}
		a.release()
	})
}

func TestAnEngineThatWasToldToStopIsWaitedFor(t *testing.T) {
	plans, templates := three()
	for i, name := range []string{"a", "b", "c"} {
		plans[name], templates[i].MemoryBytes = plan{bytes: 60, load: time.Second, stuck: true}, 60
	}
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.offered("a", "b")
		b.served("a")
		if _, err := b.stop("a"); err != nil {
			b.t.Fatal(err)
		}
		b.served("b") // in the same moment: a has not even noticed
		if got := b.states("a", "b"); got != "stopped ready " {
			b.t.Errorf("states %s", got)
		}
	})
}

func TestALoadThatIsNotForTasksIsWaitedForToo(t *testing.T) {
	plans, templates := three()
	templates[0].Swap, templates[0].MemoryBytes = false, 80 // it takes 40
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.offered("b")
		if _, err := b.preload("a", nodeapi.PreloadRequest{Template: "a"}); err != nil {
			b.t.Fatal(err)
		}
		<-time.After(time.Second) // a is loading, and has 80 reserved
		b.served("b")
		if got := b.states("a", "b"); got != "ready ready " {
			b.t.Errorf("states %s", got)
		}
	})
}

func TestAnEngineThatBreaksWhileItIsUnloadedIsNoFailure(t *testing.T) {
	inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
		p := b.ready("p")
		<-time.After(minStay)
		b.stand.crash(p.instance())
		if _, ok := p.unload(minStay); !ok { // in the same moment
			b.t.Fatal("it was not idle")
		}
		<-time.After(time.Second)
		if s := p.status(); s.State != "stopped" || !s.Loadable || s.LastError != "stopped: the first task starts the engine" || s.Restarts != 0 {
			b.t.Errorf("status %+v", s)
		}
	})
}
