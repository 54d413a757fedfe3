package store_test

import (
	"fmt"
	"testing"

	"github.com/llorch/gateway/orchestrator/store"
)

// fill writes real-looking state.
func fill(t *testing.T, st *store.Store) {
	t.Helper()
	ctx := t.Context()
	for i := range 50 {
		for _, name := range []string{store.Tasks, store.NodeOwners, store.Sessions, store.Catalog, store.Artifacts, store.Idempotency} {
			if _, err := st.Bucket(name).Create(ctx, fmt.Sprint("key", i), fmt.Appendf(nil, "%s %d", name, i)); err != nil {
				t.Fatal(err)
			}
		}
		for k := range i {
			if err := st.Events().Append(fmt.Sprint("key", i), fmt.Appendf(nil, "event %d", k)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := st.Events().Barrier(ctx); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if err := st.Content().Put(ctx, "body", n, fmt.Appendf(nil, "piece %d", n)); err != nil {
			t.Fatal(err)
		}
	}
}

// filled complains about what of it is not there.
func filled(t *testing.T, st *store.Store, except string) {
	t.Helper()
	ctx := t.Context()
	for n := range 3 {
		if piece, err := st.Content().Piece(ctx, "body", n); err != nil || string(piece) != fmt.Sprintf("piece %d", n) {
			t.Errorf("piece %d: got %q, %v", n, piece, err)
		}
	}
	for i := range 50 {
		for _, name := range []string{store.Tasks, store.NodeOwners, store.Sessions, store.Catalog, store.Artifacts, store.Idempotency} {
			key := fmt.Sprint("key", i)
			if name+"/"+key == except {
				continue
			}
			if e, err := st.Bucket(name).Get(ctx, key); err != nil || string(e.Value) != fmt.Sprintf("%s %d", name, i) {
				t.Errorf("got %q, %v for %s/%s", e.Value, err, name, key)
			}
		}
		n := 0
		for cursor := uint64(0); ; n++ {
			record, next, err := st.Events().Read(ctx, fmt.Sprint("key", i), cursor)
			if err != nil {
				break
			}
			if want := fmt.Sprintf("event %d", n); string(record) != want {
				t.Errorf("event %d of task %d: got %q", n, i, record)
			}
			cursor = next
		}
		if n != i {
			t.Errorf("task %d has %d events, want %d", i, n, i)
		}
	}
}

func copyAll(t *testing.T, from, to *store.Store, want store.Copied) {
	t.Helper()
	done, err := store.Copy(t.Context(), from, to)
	if err != nil || len(done) != 6 {
		t.Fatalf("got %v, %v", done, err)
	}
	for _, c := range done {
		if c.Bucket != store.Tasks {
			continue
		}
		if c.Source != want.Source || c.Created != want.Created || c.Present != want.Present || c.Kept != want.Kept {
			t.Errorf("got %+v, want %+v", c, want)
		}
	}
}

func TestStateMovesIntoAClusterAndBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	alone := open(t, dir)
	fill(t, alone)
	r := newReplicas(t, 3)
	r.open(0, 1, 2)
	// An earlier run has got as far as one task, another one's events, and the
	// cluster has changed a third task meanwhile.
	for key, value := range map[string]string{"key1": "tasks 1", "key3": "changed since"} {
		if _, err := r.stores[1].Bucket(store.Tasks).Create(t.Context(), key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	for task, n := range map[string]int{"key1": 1, "key3": 3, "key4": 1} {
		for k := range n {
			if err := r.stores[0].Events().Append(task, fmt.Appendf(nil, "event %d", k)); err != nil {
				t.Fatal(err)
			}
		}
	}
	copyAll(t, alone, r.stores[0], store.Copied{Source: 50, Created: 48, Present: 1, Kept: 1})
	filled(t, r.stores[2], "tasks/key3")
	copyAll(t, alone, r.stores[0], store.Copied{Source: 50, Present: 49, Kept: 1})
	filled(t, alone, "") // the source is as it was

	back := open(t, t.TempDir())
	copyAll(t, r.stores[1], back, store.Copied{Source: 50, Created: 50})
	filled(t, back, "tasks/key3")
}
