package poolmanager

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func one(p plan) map[string]plan { return map[string]plan{"p": p} }

// gaps are the times between the starts of a pool's engine, without how long
// each lived.
func (b *bubble) gaps(id string, lived time.Duration) (list []time.Duration) {
	b.stand.mu.Lock()
	defer b.stand.mu.Unlock()
	starts := b.stand.starts[id]
	for i := 1; i < len(starts); i++ {
		list = append(list, starts[i].Sub(starts[i-1])-lived)
	}
	return list
}

func near(got, want time.Duration) bool { return got >= want*9/10 && got <= want*11/10 }

func TestAnEngineThatDiesBacksOffThenTheBreakerOpensAndTriesOnce(t *testing.T) {
	inBubble(t, 0, one(plan{lives: time.Second}), []Template{swappable("p")}, func(b *bubble) {
		t := b.t
		p, err := b.preload("p", nodeapi.PreloadRequest{Template: "p"})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(20 * time.Minute)
		synctest.Wait()
		got := b.gaps("p", time.Second)
		want := []time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, breakerWindow, breakerWindow, breakerWindow}
		if len(got) != len(want) {
			t.Fatalf("waits between starts: got %v, want %v", got, want)
		}
		for i := range want {
			if !near(got[i], want[i]) {
				t.Errorf("wait %d: got %v, want %v ±10 %%", i, got[i], want[i])
			}
		}
		if s := p.status(); s.State != "failed" || p.breaker != breakerOpen || s.Restarts != len(want) {
			t.Errorf("got %+v, breaker %d", s, p.breaker)
		}
	})
}

func TestTheOneTryOfAnOpenBreakerClosesItAfterHealth(t *testing.T) {
	inBubble(t, 0, one(plan{lives: time.Second}), []Template{swappable("p")}, func(b *bubble) {
		t := b.t
		p, err := b.preload("p", nodeapi.PreloadRequest{Template: "p"})
		if err != nil {
			t.Fatal(err)
		}
		for p.breakerNow() != breakerOpen {
			<-time.After(time.Second)
		}
		b.stand.mu.Lock()
		b.stand.plans = one(plan{})
		b.stand.mu.Unlock()
		<-time.After(breakerWindow + time.Second)
		if got := p.breakerNow(); got != breakerHalfOpen {
			t.Errorf("at the try: breaker %d, want half-open", got)
		}
		if s := p.status(); !s.Ready {
			t.Errorf("at the try: %+v", s)
		}
		<-time.After(healthyAfter)
		if got := p.breakerNow(); got != breakerClosed {
			t.Errorf("after %v of health: breaker %d, want closed", healthyAfter, got)
		}
		b.stand.crash(p.instance())
		before := b.stand.count("p")
		<-time.After(1200 * time.Millisecond)
		if got := b.stand.count("p"); got != before+1 {
			t.Errorf("starts within 1.2 s of the next failure: %d, want one", got-before)
		}
	})
}

func (p *pool) breakerNow() breakerState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.breaker
}

func TestThreeMissedProbesEndAnEngineTwoDoNot(t *testing.T) {
	inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
		t := b.t
		p := b.ready("p")
		hungFor := func(d time.Duration) {
			b.stand.hang(p.instance(), true)
			<-time.After(d)
			b.stand.hang(p.instance(), false)
		}
		for range 3 { // two misses, then a probe that goes well
			hungFor(2*defaultTimings.liveEvery + time.Second)
			<-time.After(2 * defaultTimings.liveEvery)
		}
		if s := p.status(); s.Restarts != 0 || !s.Ready {
			t.Fatalf("after two misses in a row: %+v", s)
		}
		hungFor(3*defaultTimings.liveEvery + 3*time.Second)
		<-time.After(5 * time.Second)
		if s := p.status(); s.Restarts != 1 || !s.Ready || !strings.HasPrefix(s.LastError, "health: 3 probes") {
			t.Errorf("after three misses in a row: %+v", s)
		}
	})
}

func TestTheTimeToBecomeReadyGrowsWithTheModel(t *testing.T) {
	root, size := t.TempDir(), int64(10<<30)
	file, err := os.Create(filepath.Join(root, "big.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(size); err != nil { // a hole: it takes no disk
		t.Fatal(err)
	}
	file.Close()
	template := swappable("p")
	template.TakesFile, template.Model = true, "file:big.gguf"
	template.Command = append(template.Command, "{model_path}")
	want := template.ReadyLimit + time.Duration(size/loadFloor)*time.Second
	for load, ready := range map[time.Duration]bool{want - time.Second: true, want + time.Second: false} {
		inBubble(t, 0, one(plan{load: load}), []Template{template}, func(b *bubble) {
			t := b.t
			b.env.root = root
			p, err := b.preload("p", nodeapi.PreloadRequest{Template: "p"})
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
			if s := p.status(); s.Progress == nil || *s.Progress != (nodeapi.Progress{Phase: "starting", TotalBytes: size}) {
				t.Errorf("progress %+v", s.Progress)
			}
			if got := p.await(t.Context(), StateReady, StateFailed); (got == StateReady) != ready {
				t.Errorf("an engine that needs %v of %v: %s, %s", load, want, got, p.status().LastError)
			}
			if s := p.status(); s.Progress != nil {
				t.Errorf("progress after the start: %+v", s.Progress)
			}
		})
	}
}

func TestAListOfModelsIsReadAgainAndTheLastOneStands(t *testing.T) {
	template := swappable("p")
	template.ListsModels, template.Model = true, ""
	inBubble(t, 0, one(plan{}), []Template{template}, func(b *bubble) {
		t := b.t
		tell := func(models []string) []string {
			b.stand.mu.Lock()
			b.stand.models = models
			b.stand.mu.Unlock()
			<-time.After(defaultTimings.liveEvery + time.Second)
			return b.pool("p").report().Models
		}
		told := 0
		b.env.changed = func() { told++ }
		b.stand.models = []string{"a"}
		p := b.ready("p")
		before := told
		if got := tell([]string{"a", "b"}); fmt.Sprint(got) != "[a b]" || told != before+1 {
			t.Errorf("after a pull: got %v, told %d times", got, told-before)
		}
		if got := tell([]string{"a", "b"}); fmt.Sprint(got) != "[a b]" || told != before+1 {
			t.Errorf("the same list again: got %v, told %d times", got, told-before)
		}
		if got := tell(nil); fmt.Sprint(got) != "[a b]" || told != before+1 {
			t.Errorf("while the list cannot be read: got %v, told %d times", got, told-before)
		}
		if l, err := p.acquire(t.Context(), "b", "", 0); err != nil {
			t.Error(err)
		} else {
			l.release()
		}
		if got := tell([]string{"b"}); !slices.Equal(got, []string{"b"}) {
			t.Errorf("after a removal: got %v", got)
		}
		if _, err := p.acquire(t.Context(), "a", "", 0); err != errModel {
			t.Errorf("a removed model: got %v", err)
		}
	})
}

func TestAReloadIsAnsweredWhenTheNewModelServesOrAfterABoundedWait(t *testing.T) {
	template := swappable("p")
	template.ReadyLimit = time.Hour
	inBubble(t, 0, one(plan{load: 10 * time.Minute}), []Template{template}, func(b *bubble) {
		t := b.t
		p := b.ready("p")
		if _, err := b.reload(t.Context(), "p", "second"); err != nil || p.status().ModelRef != "second" || !p.status().Ready {
			t.Errorf("within the wait: %v, %+v", err, p.status())
		}
		b.stand.mu.Lock()
		b.stand.plans = one(plan{load: 30 * time.Minute})
		b.stand.mu.Unlock()
		begin := time.Now()
		_, err := b.reload(t.Context(), "p", "third")
		if err != errReloading || time.Since(begin) != reloadWait || reloadWait >= 15*time.Minute {
			t.Errorf("got %v after %v, want %v after %v", err, time.Since(begin), errReloading, reloadWait)
		}
		if s := problemOf(err); s.Status != 503 || s.Code != "RELOAD_UNDER_WAY" {
			t.Errorf("the caller is told %+v", s)
		}
		p.await(t.Context(), StateReady)
		if s := p.status(); s.ModelRef != "third" || !s.Ready {
			t.Errorf("in the end: %+v", s)
		}
	})
}
