package orchestrator

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// add puts a task into a queue that has room.
func (q *queue) add(w waiting) int {
	if q.reserve(w.owner, time.Time{}, false) != granted {
		panic("no room")
	}
	return q.push(w)
}

func TestIdentitiesTakeTurns(t *testing.T) {
	q := newQueue(100)
	for _, w := range []struct{ owner, ids string }{{"flood", "abcdefgh"}, {"ci", "xy"}, {"eve", "z"}} {
		for _, id := range w.ids {
			q.add(waiting{id: string(id), owner: w.owner, class: Interactive})
		}
	}
	got := ""
	for w, ok := q.next(time.Time{}, nil); ok; w, ok = q.next(time.Time{}, nil) {
		q.take(w.id)
		got += w.id
	}
	if want := "axzbycdefgh"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestATaskThatComesBackIsTriedFirst(t *testing.T) {
	q := newQueue(100)
	for _, id := range []string{"a1", "a2", "b1"} {
		q.add(waiting{id: id, owner: id[:1], class: Batch})
	}
	w, _ := q.next(time.Time{}, nil)
	q.take(w.id)
	q.restore(w, true)
	if again, _ := q.next(time.Time{}, nil); again.id != "a1" {
		t.Errorf("got %s, want a1", again.id)
	}
}

// TestPositionsAreTheOrderOfStarts has any history of arrivals, starts and
// departures, and then looks whether each task starts when its position says.
func TestPositionsAreTheOrderOfStarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue(1000)
		var ids []string
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"arrive", "arrive", "arrive", "start", "leave"}).Draw(t, "step") {
			case "arrive":
				id := fmt.Sprint(i)
				at := q.add(waiting{id: id, owner: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "owner"), class: Interactive})
				if now, _ := q.position(id); now != at {
					t.Fatalf("pushed at %d, and then at %d", at, now)
				}
				ids = append(ids, id)
			case "start":
				if w, ok := q.next(time.Time{}, nil); ok {
					q.take(w.id)
				}
			case "leave":
				if len(ids) > 0 {
					q.remove(rapid.SampledFrom(ids).Draw(t, "id"))
				}
			}
		}
		want := map[int]string{}
		for _, id := range ids {
			if at, ok := q.position(id); ok {
				if want[at] != "" {
					t.Fatalf("%s and %s are both at %d", want[at], id, at)
				}
				want[at] = id
			}
		}
		if len(want) != q.depth(Interactive) {
			t.Fatalf("%d positions, %d tasks", len(want), q.depth(Interactive))
		}
		for i := range len(want) {
			w, _ := q.next(time.Time{}, nil)
			q.take(w.id)
			if w.id != want[i] {
				t.Fatalf("start %d is %s, want %s", i, w.id, want[i])
			}
		}
		if q.classes[Interactive].turns.Len()+len(q.classes[Interactive].of)+len(q.index) != 0 {
			t.Fatal("an empty queue remembers an identity")
		}
	})
}

func TestStartsCountBothClasses(t *testing.T) {
	for _, c := range []struct {
		interactive, batch int
		class              Priority
	}{{9, 9, Batch}, {9, 9, Interactive}, {2, 9, Batch}, {9, 1, Interactive}, {0, 4, Batch}, {4, 0, Interactive}} {
		q := newQueue(100)
		for i := range c.interactive {
			put(t, q, fmt.Sprint("i", i), Interactive)
		}
		for i := range c.batch {
			put(t, q, fmt.Sprint("b", i), Batch)
		}
		want := map[string]int{}
		for id := range q.index {
			at, _ := q.position(id)
			if q.index[id].class == c.class {
				want[id] = q.starts(c.class, at)
			}
		}
		for n := 0; ; n++ {
			w, ok := q.next(time.Time{}, nil)
			if !ok {
				break
			}
			q.take(w.id)
			if w.class == c.class && want[w.id] != n {
				t.Errorf("%+v: %s started after %d others, want %d", c, w.id, n, want[w.id])
			}
		}
	}
}
