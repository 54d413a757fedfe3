package orchestrator

import (
	"errors"
	"strings"
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

// TestAKeyGivesItsTaskWhileNewTasksAreRefused retries a request whose answer was
// lost, after its model was retired: the task is there, and is what the key is for.
func TestAKeyGivesItsTaskWhileNewTasksAreRefused(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	root := Who{Identity: "root", Admin: true}
	if _, err := o.AddModel(t.Context(), root, ModelRequest{ID: "m", Digest: "sha256:" + strings.Repeat("0", 64), SourceURL: "file:m"}); err != nil {
		t.Fatal(err)
	}
	submit := func(key, prompt string) (string, error) {
		a, err := o.Submit(t.Context(), ci, TaskRequest{ModelRef: "m", Prompt: prompt, DeadlineMS: 60_000}, key)
		return a.TaskID, err
	}
	first, err := submit("key", "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.SetModelState(t.Context(), "m", ModelRetired, 0); err != nil {
		t.Fatal(err)
	}
	if again, err := submit("key", "x"); err != nil || again != first {
		t.Errorf("the same again: got task %q, %v, want %q", again, err, first)
	}
	for _, key := range []string{"", "other"} {
		if id, err := submit(key, "x"); err == nil {
			t.Errorf("with the key %q: got task %q of a retired model", key, id)
		}
	}
	if id, err := submit("key", "y"); err == nil {
		t.Errorf("another body: got task %q", id)
	}
}
