package orchestrator

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func put(t *testing.T, q *queue, id string, class Priority) int {
	t.Helper()
	return q.add(waiting{id: id, class: class})
}

func TestInteractiveGoesFirstAndBatchKeepsItsShare(t *testing.T) {
	q := newQueue(100)
	for i := range 9 {
		put(t, q, fmt.Sprint("i", i), Interactive)
	}
	for i := range 3 {
		put(t, q, fmt.Sprint("b", i), Batch)
	}
	got := ""
	for w, ok := q.next(time.Time{}, nil); ok; w, ok = q.next(time.Time{}, nil) {
		q.take(w.id)
		got += w.id + " "
	}
	if want := "i0 i1 i2 b0 i3 i4 i5 b1 i6 i7 i8 b2 "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestATaskThatCannotStartDoesNotBlockTheOthers(t *testing.T) {
	q := newQueue(3)
	q.add(waiting{id: "a", class: Interactive, key: "rare"})
	q.add(waiting{id: "b", class: Interactive})
	if w, _ := q.next(time.Time{}, map[string]bool{"rare": true}); w.id != "b" {
		t.Errorf("got %s, want b", w.id)
	}
}

// TestTheQueueAgainstAModel compares with plain slices: order, bound, positions.
func TestTheQueueAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const capacity = 5
		q := newQueue(capacity)
		model := map[Priority][]string{}
		size, n := 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				class := rapid.SampledFrom([]Priority{Interactive, Batch}).Draw(t, "class")
				if got := q.reserve("", time.Time{}, false); (got == granted) != (size < capacity) {
					t.Fatalf("reserve with %d of %d: got %v", size, capacity, got)
				} else if got != granted {
					return
				}
				id := fmt.Sprint(n)
				n, size = n+1, size+1
				if at := q.push(waiting{id: id, class: class}); at != len(model[class]) {
					t.Fatalf("position %d, want %d", at, len(model[class]))
				}
				model[class] = append(model[class], id)
			},
			"remove": func(t *rapid.T) {
				class := rapid.SampledFrom([]Priority{Interactive, Batch}).Draw(t, "class")
				if len(model[class]) == 0 {
					return
				}
				i := rapid.IntRange(0, len(model[class])-1).Draw(t, "i")
				if _, ok := q.remove(model[class][i]); !ok {
					t.Fatal("not there")
				}
				model[class] = append(model[class][:i:i], model[class][i+1:]...)
				size--
			},
			"": func(t *rapid.T) {
				for class, ids := range model {
					for i, id := range ids {
						if at, ok := q.position(id); !ok || at != i {
							t.Fatalf("%s in %s: position %d, want %d", id, class, at, i)
						}
					}
					if q.depth(class) != len(ids) {
						t.Fatalf("depth of %s: %d, want %d", class, q.depth(class), len(ids))
					}
				}
			},
		})
	})
}

func TestExpiredTasksAreFound(t *testing.T) {
	q := newQueue(3)
	now := time.Unix(100, 0)
	for id, deadline := range map[string]time.Time{"past": now.Add(-1), "now": now, "future": now.Add(1)} {
		q.add(waiting{id: id, class: Batch, deadline: deadline})
	}
	if w, _ := q.next(now, nil); w.id != "future" {
		t.Errorf("got %q, want the one task that may still start", w.id)
	}
	if got := q.expired(now); len(got) != 2 || len(q.expired(now)) != 0 {
		t.Errorf("got %v, want past and now, once", got)
	}
}
