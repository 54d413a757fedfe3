package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestOneIdentityAloneReachesNineTenthsAndTheNextGetsIn fills bounds of many sizes.
func TestOneIdentityAloneReachesNineTenthsAndTheNextGetsIn(t *testing.T) {
	for _, capacity := range []int64{10, 11, 19, 20, 1000, 5000} {
		s := NewShares(capacity)
		fill := func(identity string) (n int64) {
			for s.Take(identity) {
				n++
			}
			return n
		}
		if got, want := fill("first"), capacity-capacity/10; got != want {
			t.Errorf("of %d one alone took %d, want %d", capacity, got, want)
		}
		if got, want := fill("second"), capacity/10; got != want || got == 0 {
			t.Errorf("of %d the second took %d, want %d", capacity, got, want)
		}
		if got := fill("first") + fill("third"); got != 0 || s.Total() != capacity {
			t.Errorf("of %d that are all taken, %d more were taken", capacity, got)
		}
		s.Add("first", -1) // it holds more than a tenth: what it gives back is the reserve's
		if s.Take("first") || !s.Take("third") {
			t.Errorf("of %d: what came back is for who holds less than a tenth", capacity)
		}
	}
	if s := NewShares(1); !s.Take("a") || s.Take("b") {
		t.Error("a bound of one takes one")
	}
}

// TestEachBoundKeepsATenthForOthers walks over the bounds of this package: what one
// identity alone may hold, and whether another one still gets in.
func TestEachBoundKeepsATenthForOthers(t *testing.T) {
	now := func() time.Time { return time.Unix(1000, 0) }
	log := slog.New(slog.DiscardHandler)
	queue := newQueue(1000)
	room := func(who string) bool { return queue.reserve(who, now(), true) == granted }
	bytes := NewShares(maxTaskBytes)
	keys := newKeptKeys(now)
	made := 0
	key := func(who string) bool {
		if !keys.admits(who) {
			return false
		}
		made++
		keys.add(fmt.Sprint(made), who, now())
		return true
	}
	ws := workers{replicas: map[replicaKey]replica{}}
	worker := func(who string) bool {
		return ws.note(Who{Identity: who}, replicaKey{"n/p", fmt.Sprint(who, len(ws.replicas))}, now()) == nil
	}
	c := &catalog{models: map[string]*cached[Model]{}, ids: map[string]string{}}
	model := func(who string) bool {
		id := fmt.Sprint(who, len(c.models))
		if c.full(Who{Identity: who}) {
			return false
		}
		c.models[id] = &cached[Model]{value: Model{CreatedBy: who}}
		return true
	}
	ss := newSessions(nil, log, now)
	session := func(who string) bool {
		before := ss.each[who]
		if err := ss.take(context.Background(), Who{Identity: who}, fmt.Sprint(who, before), false); err != nil {
			t.Fatal(err)
		}
		return ss.each[who] > before
	}
	for name, bound := range map[string]struct {
		take     func(string) bool
		capacity int
	}{
		"places in the queue":      {room, 1000},
		"bytes of tasks, by MiB":   {func(who string) bool { ok := bytes.Admits(who, 1<<20); bytes.Add(who, 1<<20); return ok }, maxTaskBytes >> 20},
		"Idempotency-Keys":         {key, maxKeys},
		"workers":                  {worker, maxReplicas},
		"models of the catalog":    {model, MaxModels},
		"sessions (the oldest go)": {session, maxSessions},
	} {
		n := 0
		for n <= bound.capacity && bound.take("one") {
			n++
		}
		if want := bound.capacity - bound.capacity/10; n < want-1 || n > want {
			t.Errorf("%s: one alone holds %d of %d, want nine tenths", name, n, bound.capacity)
		}
		if !bound.take("two") {
			t.Errorf("%s: the second identity was refused", name)
		}
	}
	if got := ss.each["two"]; got != 1 {
		t.Errorf("the second identity has %d sessions, want 1", got)
	}
}

func TestArtifactsOfOneReachNineTenthsOfAllBytes(t *testing.T) {
	as, _ := shelves(t, openStore(t).Bucket(store.Artifacts))
	held := func(who string, size int64) {
		as.note(shelfOf(who), kept{id: fmt.Sprint(who, len(as.all())), size: size})
	}
	held("one", most(as.limit)-100)
	if from, _ := as.surplus(shelfOf("one"), 100); from != "" {
		t.Errorf("up to nine tenths, %q had to make room", from)
	}
	if from, _ := as.surplus(shelfOf("one"), 1); from != shelfOf("one") {
		t.Errorf("beyond it, %q makes room, want its own", from)
	}
	if from, _ := as.surplus(shelfOf("two"), 1000); from != "" {
		t.Errorf("for the second, %q had to make room", from)
	}
}

func TestKeptResultsAreBoundedByIdentity(t *testing.T) {
	now := time.Unix(100_000, 0)
	ended := func(owner string, ages ...int) (all []Task) {
		for _, age := range ages {
			at := now.Add(-time.Duration(age) * time.Second)
			all = append(all, Task{TaskID: fmt.Sprint(owner, age), Owner: owner, EndedAt: &at})
		}
		return all
	}
	for name, c := range map[string]struct {
		keep  retention
		ended []Task
		want  string
	}{
		"few":                     {retention{time.Hour, 3, 10}, ended("a", 3, 2, 1), "[]"},
		"old":                     {retention{time.Hour, 3, 10}, ended("a", 4000, 3600, 3599), "[a4000 a3600]"},
		"too many of one":         {retention{time.Hour, 2, 10}, append(ended("a", 5, 4, 3, 2), ended("b", 9)...), "[a5 a4]"},
		"a flood of one":          {retention{time.Hour, 9, 4}, append(ended("b", 9), ended("flood", 8, 7, 6, 5, 4)...), "[flood8 flood7]"},
		"a flood after the other": {retention{time.Hour, 9, 2}, append(ended("b", 9), ended("flood", 1)...), "[]"},
	} {
		if got := fmt.Sprint(c.keep.surplus(c.ended, now)); got != c.want {
			t.Errorf("%s: forgets %s, want %s", name, got, c.want)
		}
	}
}

// TestKeysAreCountedAcrossARestart, expire after a day, and one that is there is found
// by an identity that may have no more.
func TestKeysAreCountedAcrossARestart(t *testing.T) {
	st := openStore(t)
	o := newWith(t, Config{Store: st})
	request := TaskRequest{ModelRef: "m", Prompt: "x"}
	first, err := o.Submit(t.Context(), ci, request, "k")
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	o = newWith(t, Config{Store: st})
	owner := keyOwner(ci.Identity)
	if got := o.keys.shares.each[owner]; got != 1 {
		t.Errorf("after a restart %d keys are counted, want 1", got)
	}
	o.keys.shares.Add(owner, most(maxKeys)-1)
	if again, err := o.Submit(t.Context(), ci, request, "k"); err != nil || again.TaskID != first.TaskID {
		t.Errorf("a key that is there: got %v, %v, want the task %s", again.TaskID, err, first.TaskID)
	}
	_, err = o.Submit(t.Context(), ci, request, "another")
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != "TOO_MANY_KEYS" || e.Kind != Busy || e.RetryAfter == 0 {
		t.Errorf("one too many: got %v, want TOO_MANY_KEYS", err)
	}
	if _, err := o.Submit(t.Context(), Who{Identity: "eve"}, request, "another"); err != nil {
		t.Errorf("another identity: %v", err)
	}
}

func TestAKeyIsNotCountedAfterItsDay(t *testing.T) {
	now := time.Unix(1000, 0)
	k := newKeptKeys(func() time.Time { return now })
	value, err := json.Marshal(idempotent{"t", "b", "one"})
	if err != nil {
		t.Fatal(err)
	}
	k.observe(store.Entry{Key: "a", Value: value, Created: now})
	k.observe(store.Entry{Key: "a", Value: value, Created: now}) // told again
	k.observe(store.Entry{Key: "old", Value: []byte(`{"task_id":"t","body":"b"}`), Created: now})
	if k.shares.each["one"] != 1 || k.shares.Total() != 2 {
		t.Errorf("got %v, want one of one and one without an owner", k.shares.each)
	}
	now = now.Add(store.IdempotencyTTL)
	if k.admits("one"); k.shares.Total() != 0 || k.order.Len() != 0 || len(k.known) != 0 {
		t.Errorf("after a day: got %v", k.shares.each)
	}
}
