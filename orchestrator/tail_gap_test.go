package orchestrator

import (
	"context"
	"strings"
	"testing"
)

// TestALiveReaderIsToldOfAGap has the log lose what the tail no longer holds.
func TestALiveReaderIsToldOfAGap(t *testing.T) {
	st := openStore(t)
	o, err := New(t.Context(), Config{Store: st})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Stop(context.Background()) })
	e := &taskEntry{id: "task", owner: "ci", revision: 1, task: Task{State: Running}, tail: newTail(0, func(record []byte) {
		if err := st.Events().Append("task", record); err != nil {
			t.Error(err)
		}
	})}
	o.tasks.mu.Lock()
	o.tasks.byID[e.id] = e
	o.tasks.mu.Unlock()
	const events = 2*tailEvents + 100
	for i := range events {
		e.tail.add(EventToken, encodeToken("x", i))
	}
	if err := st.Events().Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.Events().Forget(t.Context(), e.id); err != nil {
		t.Fatal(err)
	}
	r, err := o.Follow(Who{Identity: "ci"}, e.id, 5)
	if err != nil {
		t.Fatal(err)
	}
	last := e.tail.seal()
	e.tail.finish(newEvent(last+1, EventEnd, endData{}), last)
	got := toTheEnd(t, r)
	if got[0].Type != EventGap || !strings.Contains(string(got[0].Data), `"from":6,`) || got[0].ID+1 != got[1].ID {
		t.Fatalf("got %v first, want a gap from 6", got[0])
	}
	for i, ev := range got[1:] {
		if ev.ID != got[0].ID+1+uint64(i) {
			t.Fatalf("event %d has id %d", i, ev.ID)
		}
	}
	if last := got[len(got)-1]; last.ID != events+1 || last.Type != EventEnd || len(got) < tailEvents {
		t.Errorf("got %d events up to %v", len(got), last)
	}
}
