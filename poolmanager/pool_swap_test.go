package poolmanager

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestWaitingTasksAreBoundedByTheSlots(t *testing.T) {
	inBubble(t, 0, one(plan{load: 20 * time.Second}), []Template{swappable("p")}, func(b *bubble) {
		b.offered("p")
		p := b.pool("p")
		var waiting []*slot
		for range 2 {
			l, err := p.acquire(b.t.Context(), "", "", 0)
			if err != nil {
				b.t.Fatal(err)
			}
			waiting = append(waiting, l)
		}
		if _, err := p.acquire(b.t.Context(), "", "", 0); !errors.Is(err, errNoSlot) {
			b.t.Errorf("the third: got %v, want no slot", err)
		}
		if s := p.status(); s.SlotsFree != 0 || s.ActiveLeases != 2 {
			b.t.Errorf("status %+v", s)
		}
		for _, l := range waiting {
			if err := l.await(memoryWait); !errors.Is(err, errLoading) && err != nil {
				b.t.Errorf("after %v: %v", memoryWait, err)
			}
			if err := l.await(0); err != nil {
				b.t.Error(err)
			}
			l.release()
		}
		if got := b.stand.count("p"); got != 1 {
			b.t.Errorf("%d starts", got)
		}
	})
}

func TestAStartForATaskThatHasGoneIsGivenUpWhileItWaitsForMemory(t *testing.T) {
	plans, templates := three()
	inBubble(t, 100, plans, templates, func(b *bubble) {
		b.offered("a", "b", "c")
		for _, id := range []string{"a", "b"} {
			if _, err := b.task(id); err != nil {
				b.t.Fatal(err)
			}
		}
		ctx, hangUp := context.WithCancel(b.t.Context())
		p := b.pool("c")
		l, err := p.acquire(ctx, "", "", 0)
		if err != nil {
			b.t.Fatal(err)
		}
		context.AfterFunc(ctx, l.release)
		<-time.After(time.Second)
		hangUp()
		synctest.Wait()
		if s := p.status(); s.State != "stopped" || !s.Loadable || s.ActiveLeases != 0 {
			b.t.Errorf("after the caller hung up: %+v", s)
		}
		for _, id := range []string{"a", "b"} {
			b.pool(id).dropSlots("the test ends")
		}
	})
}

func TestAnIdleEngineIsUnloadedAfterItsTTLAndATaskBringsItBack(t *testing.T) {
	template := swappable("p")
	template.TTL = 5 * time.Minute
	inBubble(t, 0, one(plan{load: time.Second}), []Template{template}, func(b *bubble) {
		p := b.ready("p")
		l, err := b.task("p")
		if err != nil {
			b.t.Fatal(err)
		}
		<-time.After(time.Hour)
		if s := p.status(); !s.Ready {
			b.t.Errorf("with a task for an hour: %+v", s)
		}
		l.release()
		<-time.After(template.TTL - time.Second)
		if s := p.status(); !s.Ready {
			b.t.Errorf("a second before the TTL: %+v", s)
		}
		<-time.After(2 * time.Second)
		if s := p.status(); s.State != "stopped" || s.Live || !s.Loadable {
			b.t.Errorf("a second after the TTL: %+v", s)
		}
		b.served("p")
		if got := b.stand.count("p"); got != 2 {
			b.t.Errorf("%d starts, want two", got)
		}
	})
}

func TestATaskThatComesWhileTheEngineIsUnloadedGetsANewOne(t *testing.T) {
	template := swappable("p")
	template.TTL, template.StopGrace = time.Minute, time.Second
	inBubble(t, 0, one(plan{stuck: true}), []Template{template}, func(b *bubble) {
		p := b.ready("p")
		<-time.After(template.TTL + 500*time.Millisecond)
		if s := p.status(); s.State != "stopping" || !s.Loadable {
			b.t.Fatalf("during the unload: %+v", s)
		}
		b.served("p")
		if s := p.status(); !s.Ready || b.stand.count("p") != 2 {
			b.t.Errorf("%+v after %d starts", s, b.stand.count("p"))
		}
	})
}

func TestAStoppedOrDrainedPoolIsNotStartedByATask(t *testing.T) {
	inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
		for name, end := range map[string]func() error{
			"stop":  func() error { _, err := b.stop("p"); return err },
			"drain": func() error { _, err := b.drain(b.t.Context(), "p", time.Second); return err },
		} {
			p := b.ready("p")
			if err := end(); err != nil {
				b.t.Fatal(err)
			}
			p.await(b.t.Context(), StateStopped)
			if _, err := b.task("p"); !errors.Is(err, errNotReady) {
				b.t.Errorf("after a %s: got %v", name, err)
			}
			if r := p.report(); r.Ready || r.Loadable {
				b.t.Errorf("after a %s the orchestrator is told %+v", name, r)
			}
		}
	})
}

func TestAReloadOfAnUnloadedPoolServesTheNewModelOrOffersTheOld(t *testing.T) {
	inBubble(t, 0, one(plan{load: 3 * time.Second}), []Template{swappable("p")}, func(b *bubble) {
		b.offered("p")
		p := b.pool("p")
		b.failNext("p") // it ends as it would become ready
		if _, err := b.reload(b.t.Context(), "p", "bad"); !errors.Is(err, errRollback) {
			b.t.Errorf("a model that does not start: got %v", err)
		}
		if s := p.status(); s.State != "stopped" || !s.Loadable || s.ModelRef != "m" {
			b.t.Errorf("afterwards: %+v", s)
		}
		<-time.After(time.Minute)
		if _, err := b.reload(b.t.Context(), "p", "new"); err != nil {
			b.t.Errorf("the reload: %v", err)
		}
		if s := p.status(); !s.Ready || s.ModelRef != "new" {
			b.t.Errorf("afterwards: %+v", s)
		}
		if l, err := b.task("p"); err != nil {
			b.t.Error(err)
		} else {
			l.release()
		}
	})
}

// wakeInVain offers the pool p and begins a reload of it whose engine ends before it
// is ready; the next one will live.
func (b *bubble) wakeInVain() (*pool, <-chan error) {
	b.t.Helper()
	next := func(lives time.Duration) {
		b.stand.mu.Lock()
		defer b.stand.mu.Unlock()
		b.stand.plans["p"] = plan{load: time.Second, lives: lives}
	}
	b.offered("p")
	next(time.Second / 2)
	answer := make(chan error, 1)
	go func() { _, err := b.reload(context.Background(), "p", "bad"); answer <- err }()
	synctest.Wait()
	next(0)
	return b.pool("p"), answer
}

// TestAPreloadRightAfterAFailedWakeKeepsItsModel: it comes in the very moment in
// which the failed run has ended.
func TestAPreloadRightAfterAFailedWakeKeepsItsModel(t *testing.T) {
	inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
		for range 20 {
			p, answer := b.wakeInVain()
			p.mu.Lock()
			run := p.done
			p.mu.Unlock()
			<-run
			if _, err := b.preload("p", nodeapi.PreloadRequest{Template: "p", ModelRef: "other"}); err != nil {
				b.t.Fatal(err)
			}
			if err := <-answer; !errors.Is(err, errRollback) {
				b.t.Errorf("the reload: got %v", err)
			}
			p.await(b.t.Context(), StateReady)
			if s := p.status(); s.ModelRef != "other" {
				b.t.Fatalf("after the preload: %+v", s)
			}
			if _, err := b.stop("p"); err != nil {
				b.t.Fatal(err)
			}
			p.await(b.t.Context(), StateStopped)
		}
	})
}

// TestAFailedWakeFallsBackOnlyFromItsOwnRun: an operator who has stopped the pool,
// or begun another run, has decided.
func TestAFailedWakeFallsBackOnlyFromItsOwnRun(t *testing.T) {
	inBubble(t, 0, one(plan{fails: "broken"}), []Template{swappable("p")}, func(b *bubble) {
		if _, err := b.preload("p", nodeapi.PreloadRequest{Template: "p"}); err != nil {
			b.t.Fatal(err)
		}
		p := b.pool("p")
		p.await(b.t.Context(), StateFailed)
		before, other := p.wanted(), make(chan struct{})
		if p.fallBack(other, before) {
			b.t.Error("another run was ended")
		}
		run := p.cancel()
		if p.fallBack(run, before) {
			b.t.Error("a stop was undone")
		}
		if _, err := b.preload("p", nodeapi.PreloadRequest{Template: "p"}); err != nil && !errors.Is(err, errBusy) {
			b.t.Error(err)
		} else if err == nil {
			synctest.Wait()
			if p.status().State == "stopped" {
				b.t.Error("a preload was taken by a run that had been told to end")
			}
			<-p.cancel()
		}
		<-run
		if s := p.status(); s.Loadable {
			b.t.Errorf("after the stop: %+v", s)
		}
	})
}

// TestATaskThatComesWithTheEndOfAFailedWakeGetsTheOldModel: otherwise the pool would
// stay stopped.
func TestATaskThatComesWithTheEndOfAFailedWakeGetsTheOldModel(t *testing.T) {
	inBubble(t, 0, one(plan{load: time.Second}), []Template{swappable("p")}, func(b *bubble) {
		p, answer := b.wakeInVain()
		l, err := p.acquire(b.t.Context(), "", "", 0) // it waits for the new model, and has not looked again
		if err != nil {
			b.t.Fatal(err)
		}
		defer l.release()
		if err := <-answer; !errors.Is(err, errRollback) {
			b.t.Errorf("the reload: got %v", err)
		}
		if err := l.await(0); err != nil {
			b.t.Errorf("the task: got %v", err)
		}
		if s := p.status(); !s.Ready || s.ModelRef != "m" {
			b.t.Errorf("afterwards: %+v", s)
		}
	})
}

// TestAReloadOfAnEngineThatATaskStartedIsWanted: no task waits for the new model,
// but an operator does.
func TestAReloadOfAnEngineThatATaskStartedIsWanted(t *testing.T) {
	a := swappable("a")
	a.MemoryBytes = 50
	plans := map[string]plan{"a": {bytes: 40, load: time.Second}, "b": {bytes: 60, load: time.Second}}
	inBubble(t, 100, plans, []Template{a, swappable("b")}, func(b *bubble) {
		if _, err := b.offer("a", "a", ""); err != nil {
			b.t.Fatal(err)
		}
		first, err := b.task("a")
		if err != nil {
			b.t.Fatal(err)
		}
		first.release()
		b.ready("b")
		busy, err := b.task("b")
		if err != nil {
			b.t.Fatal(err)
		}
		reloaded := make(chan error, 1)
		go func() {
			_, err := b.reload(b.t.Context(), "a", "other")
			reloaded <- err
		}()
		b.pool("a").await(b.t.Context(), StateStarting)
		synctest.Wait()
		busy.release()
		if err := <-reloaded; err != nil || b.pool("a").status().ModelRef != "other" {
			b.t.Errorf("the reload: %v, %+v", err, b.pool("a").status())
		}
	})
}

// TestATaskThatComesDuringAnUnloadGetsTheNextEngine, and a command is refused: the
// goroutine that ends the engine has not moved yet.
func TestATaskThatComesDuringAnUnloadGetsTheNextEngine(t *testing.T) {
	inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
		for range 20 {
			p := b.ready("p")
			if _, ok := p.unload(0); !ok {
				b.t.Fatal("an idle engine was not unloaded")
			}
			l, err := p.acquire(b.t.Context(), "", "", 0)
			if err != nil {
				b.t.Fatal(err)
			}
			if err := l.await(0); err != nil {
				b.t.Fatalf("the task: %v", err)
			}
			l.release()
		}
	})
}

// TestACommandThatMeetsAnUnloadIsRefused, whichever of the two came first.
func TestACommandThatMeetsAnUnloadIsRefused(t *testing.T) {
	for _, verb := range []verb{verbDrain, verbReload} {
		inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
			for range 20 {
				p := b.ready("p")
				asked := command{verb: verb, model: model{ref: "other", name: "other"}, answer: make(chan error, 1)}
				p.commands <- asked // taken; what it leads to comes later, mostly
				p.unload(0)
				if verb == verbReload {
					if err := <-asked.answer; err != nil && !errors.Is(err, errNotReady) {
						b.t.Errorf("the reload: %v", err)
					}
				}
				p.await(b.t.Context(), StateStopped, StateReady)
				<-p.cancel()
			}
		})
	}
}
