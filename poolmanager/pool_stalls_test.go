package poolmanager

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

var taskStalled = &adapter.Error{Class: adapter.ClassReset, Stalled: true, Message: "the engine stalled"}

// ended takes a slot, and gives it back with that error.
func (b *bubble) ended(id string, err error) {
	b.t.Helper()
	l, failed := b.task(id)
	if failed != nil {
		b.t.Fatal(failed)
	}
	l.pool.recordOutcome(l, err)
	l.release()
}

func TestAPoolIsSuspectAfterAStallAndRestartedWhenItRepeats(t *testing.T) {
	other := errors.New("the caller has gone")
	for name, c := range map[string]struct {
		ends     []error       // of one task after another
		apart    time.Duration // between them
		suspect  bool
		restarts int
	}{
		"no stall":                           {[]error{nil, other, nil}, time.Second, false, 0},
		"one":                                {[]error{taskStalled}, time.Second, true, 0},
		"one, then others end well":          {[]error{taskStalled, nil, nil}, time.Second, true, 0},
		"two in a row":                       {[]error{taskStalled, taskStalled}, 5 * time.Minute, false, 1},
		"two in a row, others gone between":  {[]error{taskStalled, other, taskStalled}, time.Second, false, 1},
		"two with one between that was well": {[]error{taskStalled, nil, taskStalled}, time.Second, true, 0},
		"three with others between":          {[]error{taskStalled, nil, taskStalled, nil, taskStalled}, time.Second, false, 1},
		"two far apart":                      {[]error{taskStalled, taskStalled}, suspectFor, true, 0},
		"one, long ago":                      {[]error{taskStalled, nil, nil}, suspectFor, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
				p := b.ready("p")
				for i, err := range c.ends {
					if i > 0 {
						<-time.After(c.apart)
					}
					b.ended("p", err)
				}
				<-time.After(2 * time.Second) // the back-off, and a probe
				s := p.status()
				if s.Suspect != c.suspect || s.Restarts != c.restarts || !s.Ready {
					b.t.Errorf("got %+v, want suspect %v and %d restarts", s, c.suspect, c.restarts)
				}
				if stalled := strings.HasPrefix(s.LastError, "stalled: the engine stalled"); stalled != (c.suspect || c.restarts > 0 || name == "one, long ago") {
					b.t.Errorf("last_error: got %q", s.LastError)
				}
			})
		})
	}
}

func TestAnEngineWhoseOtherTasksProgressIsNotRestartedForTwoStalls(t *testing.T) {
	inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
		p := b.ready("p")
		innocent, err := b.task("p")
		if err != nil {
			b.t.Fatal(err)
		}
		b.ended("p", taskStalled)
		for range flowing {
			<-time.After(time.Second)
			innocent.noteEvent(0)
		}
		b.ended("p", taskStalled)
		<-time.After(time.Second)
		if s := p.status(); s.Restarts != 0 || !s.Suspect || innocent.ctx.Err() != nil {
			b.t.Errorf("got %+v, want no restart", s)
		}
		b.ended("p", taskStalled)
		<-time.After(2 * time.Second)
		if s := p.status(); s.Restarts != 1 || innocent.ctx.Err() == nil {
			b.t.Errorf("after %d stalls: got %+v, want a restart", stallsInAll, s)
		}
		innocent.release()
	})
}

func TestAStallIsNotCountedAgainstTheNextEngine(t *testing.T) {
	inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
		p := b.ready("p")
		first, err := b.task("p")
		if err != nil {
			b.t.Fatal(err)
		}
		b.stand.crash(p.instance())
		<-time.After(3 * time.Second)
		p.recordOutcome(first, taskStalled)
		p.recordOutcome(first, taskStalled)
		<-time.After(3 * time.Second)
		if s := p.status(); s.Suspect || s.Restarts != 1 || !s.Ready {
			b.t.Errorf("got %+v, want the restart of the crash alone", s)
		}
		first.release()
	})
}

func TestARealEngineThatStallsFreesItsSlotsAndIsRestarted(t *testing.T) {
	r := startRig(t, func(o *Options) {
		o.Templates[0].Slots, o.Templates[0].BetweenTokensLimit = 2, 200*time.Millisecond
		o.Templates[0].Command = append(o.Templates[0].Command, "--stall-after", "1")
	})
	r.ready(t, "p", "demo", "")
	stalls := func(of string) {
		events, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 100})
		if err != nil || len(events) != 2 {
			t.Errorf("%s: got %+v, %v, want a token and an error", of, events, err)
			return
		}
		if last := events[1]; last.Code != "WORKER_RESET" || !strings.Contains(last.Message, "between_tokens_limit_ms") {
			t.Errorf("%s: got %+v, want WORKER_RESET with the limit that passed", of, last)
		}
	}
	stalls("the first")
	if s := r.status(t, "p"); !s.Suspect || !s.Ready || !strings.HasPrefix(s.LastError, "stalled: ") || s.SlotsFree != 2 || s.Restarts != 0 {
		t.Errorf("after one stall: %+v", s)
	}
	testkit.Eventually(t, "the engine's slot to be free", func() bool { return engineSlotsBusy(t, r, "p") == 0 })
	// An innocent third caller is served although two tasks before it have stalled.
	events, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 1})
	if last := len(events) - 1; err != nil || events[last].Type != nodeapi.EventEnd {
		t.Errorf("the innocent task: %+v, %v", events, err)
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { stalls("one of two") })
	}
	both.Wait()
	testkit.Eventually(t, "the restart", func() bool { s := r.status(t, "p"); return s.Restarts == 1 && s.Ready && !s.Suspect })
	if s := r.status(t, "p"); !strings.HasPrefix(s.LastError, "stalled: ") {
		t.Errorf("after the restart: %+v", s)
	}
	if _, body := r.call(t, "GET", "/metrics", "", "Authorization", "Bearer "+r.token.Reveal()); !strings.Contains(body, `pool_restarts_total{reason="stalled"} 1`) {
		t.Errorf("metrics do not count the restart:\n%s", body)
	}
}
