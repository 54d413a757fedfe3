package orchestrator

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestAForgottenTaskIsNotRunAgainByItsKey: keys live longer than ended tasks. A
// retry makes the task that a crash has kept from being made, and none that was.
func TestAForgottenTaskIsNotRunAgainByItsKey(t *testing.T) {
	var late atomic.Int64
	o := newWith(t, Config{Store: openStore(t), Now: func() time.Time { return time.Now().Add(time.Duration(late.Load())) }})
	submit := func() (string, error) {
		a, err := o.Submit(t.Context(), ci, TaskRequest{ModelRef: "m", Prompt: "x", DeadlineMS: 60_000}, "key")
		return a.TaskID, err
	}
	forget := func(id string) {
		t.Helper()
		if err := o.store.Bucket(store.Tasks).Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		o.drop(id, 1<<62)
	}
	first, err := submit()
	if err != nil {
		t.Fatal(err)
	}
	forget(first)
	again, err := submit()
	if err != nil || again != first {
		t.Fatalf("soon after: got task %q, %v; want %q made", again, err, first)
	}
	late.Store(int64(keyGrace + time.Second))
	if again, err = submit(); err != nil || again != first {
		t.Fatalf("while it is known: got task %q, %v", again, err)
	}
	forget(first)
	var refused *Error
	if _, err = submit(); !errors.As(err, &refused) || refused.Kind != Conflict || refused.Code != "IDEMPOTENCY_KEY_SPENT" {
		t.Errorf("when it was forgotten: got %v, want a conflict", err)
	}
}
