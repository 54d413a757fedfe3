package orchestrator

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// TestAForgottenTaskThatTheWatchHasDroppedLosesItsKey: the watch may tell of the deletion
// before the deletion has returned.
func TestAForgottenTaskThatTheWatchHasDroppedLosesItsKey(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	id := waitingTask(t, o)
	e := o.found(ci, id)
	o.drop(id, math.MaxUint64-1)
	if err := o.forgetEntry(id, e); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the key is destroyed", func() bool {
		_, err := o.store.Keys().Key(t.Context(), e.view().content.Key)
		return errors.Is(err, store.ErrNotFound)
	})
}

// TestAStopDestroysTheKeysThatWaitForIt, and leaves an answer that it could not remove to
// be removed by the next sweep.
func TestAStopDestroysTheKeysThatWaitForIt(t *testing.T) {
	now := time.Now()
	st := openStore(t)
	o := newWith(t, Config{Store: st})
	e := o.found(ci, waitingTask(t, o))
	task := e.view()
	task.Workload, task.EndedAt = Native, new(now.Add(-time.Hour))
	key, err := o.seals.newKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.content.doom(key)
	if err := o.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Keys().Key(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want %v", err, store.ErrNotFound)
	}
	o.content.eraseAnswers([]Task{task}) // nothing is written any more
	if !e.erase() {
		t.Error("an answer that is there counts as removed")
	}
}
