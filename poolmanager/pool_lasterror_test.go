package poolmanager

import (
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestAPoolThatIsNotReadySaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		plan plan
		swap bool
		do   func(*bubble) // until the status is looked at
		want State
		says string
	}{
		"starting":        {plan{load: time.Minute / 2}, false, func(*bubble) {}, StateStarting, "starting: the engine is not ready yet: it loads"},
		"starting again":  {plan{lives: time.Second, load: time.Hour}, false, func(*bubble) { <-time.After(2500 * time.Millisecond) }, StateStarting, "; last failure: exit: it ended"},
		"backing off":     {plan{lives: time.Second}, false, func(*bubble) { <-time.After(1500 * time.Millisecond) }, StateFailed, "exit: it ended"},
		"no such program": {plan{fails: "no such program"}, false, func(*bubble) { <-time.After(time.Second / 2) }, StateFailed, "start: no such program"},
		"breaker open":    {plan{lives: time.Second}, false, func(*bubble) { <-time.After(time.Minute) }, StateFailed, "; circuit breaker open (5 failures within 5m0s"},
		"draining": {plan{}, false, func(b *bubble) {
			if _, err := b.task("p"); err != nil {
				b.t.Fatal(err)
			}
			if _, err := b.drain(b.t.Context(), "p", time.Minute); err != nil {
				b.t.Fatal(err)
			}
		}, StateDraining, "draining: no new tasks are admitted, 1 still run"},
		"stopping": {plan{stuck: true}, false, func(b *bubble) {
			b.ready("p")
			if _, err := b.stop("p"); err != nil {
				b.t.Fatal(err)
			}
			<-time.After(time.Second / 2)
		}, StateStopping, "stopping: a stop was requested"},
		"stopped": {plan{}, false, func(b *bubble) {
			b.ready("p")
			if _, err := b.stop("p"); err != nil {
				b.t.Fatal(err)
			}
			<-time.After(3 * time.Second)
		}, StateStopped, "stopped: a stop was requested"},
		"stopped after failures": {plan{lives: time.Second}, false, func(b *bubble) {
			<-time.After(1500 * time.Millisecond)
			if _, err := b.stop("p"); err != nil {
				b.t.Fatal(err)
			}
			<-time.After(time.Second)
		}, StateStopped, "; last failure: exit: it ended"},
	} {
		t.Run(name, func(t *testing.T) {
			template := swappable("p")
			template.Swap = c.swap
			inBubble(t, 0, one(c.plan), []Template{template}, func(b *bubble) {
				p, err := b.preload("p", nodeapi.PreloadRequest{Template: "p"})
				if err != nil {
					b.t.Fatal(err)
				}
				<-time.After(time.Second / 4)
				c.do(b)
				s := p.status()
				if s.State != string(c.want) || !strings.Contains(s.LastError, c.says) {
					b.t.Errorf("got %s: %q, want %s with %q", s.State, s.LastError, c.want, c.says)
				}
				if waits := s.NextStart != nil; waits != (c.want == StateFailed) || waits && !s.NextStart.After(time.Now().Add(-time.Second)) {
					b.t.Errorf("next start of a pool that is %s: %v", s.State, s.NextStart)
				}
			})
		})
	}
}

func TestAPoolThatWasOfferedSaysThatATaskStartsIt(t *testing.T) {
	inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
		p, err := b.offer("p", "p", "")
		if err != nil {
			b.t.Fatal(err)
		}
		if s := p.status(); s.LastError != "stopped: the first task starts the engine" || s.Ready || !s.Loadable {
			b.t.Errorf("got %+v", s)
		}
	})
}

func TestAReadyPoolThatNeverFailedHasNoLastError(t *testing.T) {
	inBubble(t, 0, one(plan{load: time.Second}), []Template{swappable("p")}, func(b *bubble) {
		if s := b.ready("p").status(); s.LastError != "" || s.NextStart != nil {
			b.t.Errorf("got %+v", s)
		}
	})
}
