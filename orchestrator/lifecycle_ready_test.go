package orchestrator_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/store"
)

// A replica without any node is ready; one that can take no work says why.
func TestAReplicaSaysWhyItIsNotReady(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Free: func(string) (uint64, error) { return free.Load(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	view, cut, err := st.View(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { view.Close() })
	o, err := orchestrator.New(t.Context(), orchestrator.Config{Store: view, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Stop(context.Background()) })
	is := func(want backend.NotReady) {
		t.Helper()
		testkit.Eventually(t, "not ready: "+string(want), func() bool { return o.NotReady() == want })
		if r, err := o.Replica(t.Context()); err != nil || r.NotReady != want || r.Name != "b" || r.MayLose || r.Disk == nil || r.Disk.Free != free.Load() {
			t.Errorf("got %+v, %v, want it to say %q, and the free space", r, err, want)
		}
	}
	is("")
	free.Store(0)
	is(backend.DiskFull)
	cut(true)
	is(backend.NoQuorum)
	cut(false)
	is(backend.DiskFull)
	free.Store(1 << 40)
	is("")
	if err := o.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	is(backend.Draining)
}
