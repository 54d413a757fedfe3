package orchestrator

import (
	"errors"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// TestKeysWithoutATaskAreDestroyed after a day; that of a waiting task stays.
func TestKeysWithoutATaskAreDestroyed(t *testing.T) {
	now := time.Now()
	o := callTaker(t, Settings{}, func() time.Time { return now })
	a, err := o.SubmitCall(t.Context(), ci, largeCall(40_000))
	if err != nil {
		t.Fatal(err)
	}
	kept := o.found(ci, a.TaskID).view().content.Key
	orphan, err := o.seals.newKey(t.Context())
	if err != nil || kept == "" || orphan == "" {
		t.Fatalf("keys %q and %q, %v", kept, orphan, err)
	}
	there := func(name string) bool {
		_, err := o.store.Keys().Key(t.Context(), name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		return err == nil
	}
	now = now.Add(keyOrphanAge - time.Minute)
	o.content.sweepKeys()
	if len(o.content.doomed) > 0 {
		t.Error("keys are destroyed that may still get their tasks")
	}
	now = now.Add(keySweepEvery)
	o.content.sweepKeys()
	testkit.Eventually(t, "the orphan is destroyed", func() bool { return !there(orphan) })
	if !there(kept) {
		t.Error("the key of a waiting task was destroyed")
	}
}

// TestASealedTextIsForItsPlace: no record, piece or event can be put where another was.
func TestASealedTextIsForItsPlace(t *testing.T) {
	s := callTaker(t, Settings{}, time.Now).seals
	key, err := s.newKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.seal(t.Context(), key, "here", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.open(t.Context(), key, "here", text); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := s.open(t.Context(), key, "there", text); err == nil {
		t.Errorf("elsewhere it is %q", got)
	}
	if got, err := s.open(t.Context(), key, "there", []byte("[]")); err != nil || string(got) != "[]" {
		t.Errorf("what is not encrypted: got %q, %v", got, err)
	}
}
