package orchestrator

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// TestARefusedTaskLeavesNoKey: what is refused for its id or its session takes none, and
// the key of what is refused later is destroyed.
func TestARefusedTaskLeavesNoKey(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	session := uuid.NewString()
	first, err := o.Submit(t.Context(), ci, TaskRequest{ModelRef: "m", Prompt: "x", SessionID: session}, "")
	if err != nil {
		t.Fatal(err)
	}
	refused := func(who Who, r TaskRequest, code string) {
		t.Helper()
		r.ModelRef, r.Prompt = "m", "x"
		_, err := o.Submit(t.Context(), who, r, "")
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != code {
			t.Errorf("got %v, want %s", err, code)
		}
	}
	refused(ci, TaskRequest{TaskID: first.TaskID}, "TASK_EXISTS")
	refused(Who{Identity: "other"}, TaskRequest{SessionID: session}, "SESSION_EXISTS")
	o.tasks.bytes.Add("others", maxTaskBytes)
	refused(ci, TaskRequest{}, "STORE_FULL")

	batch, number, _ := strings.Cut(o.found(ci, first.TaskID).view().content.Key, ".")
	if number != "0" {
		t.Fatalf("the first key is number %s", number)
	}
	if next, err := o.seals.newKey(t.Context()); err != nil || next != batch+".2" {
		t.Errorf("got %s, %v, want %s.2: one refused task has made a key", next, err, batch)
	}
	testkit.Eventually(t, "the key of the refused task is destroyed", func() bool {
		_, err := o.store.Keys().Key(t.Context(), batch+".1")
		return errors.Is(err, store.ErrNotFound)
	})
}

func TestKeysWithoutRoomAreSaidToBeSo(t *testing.T) {
	if e, ok := AsError(fmt.Errorf("making keys: %w", store.ErrFull)); !ok || e.Kind != Unavailable || e.Code != "STORE_FULL" {
		t.Errorf("got %v, want STORE_FULL", e)
	}
}
