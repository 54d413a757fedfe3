package orchestrator

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestOneIdentityDoesNotFillTheQueueWhileOthersAreActive(t *testing.T) {
	now := time.Unix(1000, 0)
	fill := func(q *queue, owner string) (n int, why refusal) {
		for ; ; n++ {
			if why = q.reserve(owner, now, true); why != granted {
				return n, why
			}
			q.push(waiting{id: fmt.Sprint(owner, q.depth(Batch)), owner: owner, class: Batch})
		}
	}
	q := newQueue(8)
	if n, why := fill(q, "a"); n != 8 || why != full {
		t.Errorf("alone: took %d, refused by %v, want all 8", n, why)
	}
	q = newQueue(8)
	q.reserve("b", now, true) // it is active, and its task has started since
	q.release("b")
	if n, why := fill(q, "a"); n != 6 || why != overFair {
		t.Errorf("beside another: took %d, refused by %v, want 6 of 8", n, why)
	}
	if n, _ := fill(q, "b"); n != 2 {
		t.Errorf("the other took %d, want the 2 that are left", n)
	}
	q = newQueue(8)
	q.reserve("b", now, true)
	q.release("b")
	now = now.Add(activeFor + 1)
	if n, _ := fill(q, "a"); n != 8 {
		t.Errorf("a minute after the other: took %d, want 8", n)
	}
	q = newQueue(1)
	q.note("b", now)
	if n, _ := fill(q, "a"); n != 1 {
		t.Errorf("a queue of one took %d", n)
	}
}

func TestWhichTaskIsDisplaced(t *testing.T) {
	type of = map[string]string // the classes of each identity's tasks, in their order
	for name, c := range map[string]struct {
		waiting of
		comes   string
		want    string // the task that goes; "" none
	}{
		"the oldest batch task of the largest": {of{"flood": "bbb", "eve": "b"}, "ci", "flood0"},
		"never an interactive one":             {of{"flood": "iib", "eve": "b"}, "ci", "flood2"},
		"nothing but interactive ones":         {of{"flood": "iii"}, "ci", ""},
		"the largest owner has no batch":       {of{"flood": "iii", "eve": "b"}, "ci", "eve0"},
		"not of an identity with less":         {of{"ci": "iii", "eve": "b"}, "ci", ""},
		"its own, if it has most":              {of{"ci": "ibb", "eve": "b"}, "ci", "ci1"},
		"its own, if both have the same":       {of{"ci": "bb", "eve": "bb"}, "ci", "ci0"},
		"of one with as much, if it has none":  {of{"ci": "ii", "eve": "bb"}, "ci", "eve0"},
	} {
		q := newQueue(100)
		for _, owner := range []string{"ci", "eve", "flood"} {
			for i, class := range c.waiting[owner] {
				q.add(waiting{id: fmt.Sprint(owner, i), owner: owner, class: map[rune]Priority{'i': Interactive, 'b': Batch}[class]})
			}
		}
		before := len(q.index)
		w, ok := q.displace(c.comes)
		if w.id != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %q, want %q", name, w.id, c.want)
		}
		if ok && (len(q.index) != before-1 || q.reserved[c.comes] != 1) {
			t.Errorf("%s: the freed place is not reserved for the new task", name)
		}
	}
}

func TestADisplacedTaskEndsWithTheReason(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t), Settings: Settings{Capacity: 3, Policy: DropLRU}})
	submit := func(identity string, class Priority) (string, error) {
		a, err := o.Submit(t.Context(), Who{Identity: identity}, TaskRequest{ModelRef: "m", Prompt: "x", Priority: class}, "")
		return a.TaskID, err
	}
	var ids []string
	for range 3 {
		id, err := submit("flood", Batch)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if _, err := submit("ci", Interactive); err != nil {
		t.Fatalf("a newcomer: %v", err)
	}
	r, err := o.Follow(Who{Identity: "flood"}, ids[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	events, err := r.Next(t.Context())
	if err != nil || len(events) != 1 || events[0].Type != EventError || !strings.Contains(string(events[0].Data), "QUEUE_DISPLACED") {
		t.Errorf("got %v, %v, want an error QUEUE_DISPLACED", events, err)
	}
	if _, err := r.Next(t.Context()); err != io.EOF {
		t.Errorf("after it: %v", err)
	}
	for _, id := range ids[1:] {
		if task := o.found(Who{Admin: true}, id).view(); task.State != Queued {
			t.Errorf("another task of the same identity is %s", task.State)
		}
	}
	for range 2 { // ci has as many as flood in the end, and then more
		if _, err := submit("ci", Interactive); err != nil {
			break
		}
	}
	var refused *Error
	if _, err := submit("ci", Interactive); !errors.As(err, &refused) || refused.Code != "QUEUE_FULL" || refused.Policy != "drop-lru" {
		t.Errorf("got %v, want QUEUE_FULL of drop-lru", err)
	}
	if o.queue.pending != 0 || o.queue.depth(Interactive)+o.queue.depth(Batch) != 3 {
		t.Errorf("%d wait and %d are reserved, want 3 and 0", o.queue.depth(Interactive)+o.queue.depth(Batch), o.queue.pending)
	}
}

func TestRejectNamesTheShare(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t), Settings: Settings{Capacity: 4}})
	submit := func(identity string) error {
		_, err := o.Submit(t.Context(), Who{Identity: identity}, TaskRequest{ModelRef: "m", Prompt: "x"}, "")
		return err
	}
	if err := submit("ci"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := submit("flood"); err != nil {
			t.Fatal(err)
		}
	}
	if err := submit("flood"); err != nil {
		t.Fatal(err)
	}
	var refused *Error
	if err := submit("flood"); !errors.As(err, &refused) || refused.Kind != Busy || refused.RetryAfter <= 0 {
		t.Errorf("got %v, want Busy", err)
	}
	if err := o.Cancel(t.Context(), Who{Identity: "ci"}, first(t, o, "ci")); err != nil {
		t.Fatal(err)
	}
	if err := submit("flood"); !errors.As(err, &refused) || refused.Code != "QUEUE_SHARE_FULL" {
		t.Errorf("got %v, want QUEUE_SHARE_FULL: ci was here a moment ago", err)
	}
	if err := submit("ci"); err != nil {
		t.Errorf("the room is for the other: %v", err)
	}
}

func first(t *testing.T, o *Orchestrator, identity string) string {
	t.Helper()
	page, err := o.Tasks(Who{Identity: identity}, "", 1, "")
	if err != nil || len(page.Tasks) == 0 {
		t.Fatalf("no task of %s: %v", identity, err)
	}
	return page.Tasks[0].TaskID
}
