package store

import (
	"testing"

	"github.com/google/uuid"
)

// TestACompactionRemovesEmptyBatches: a crash between the removal of the last key and that
// of the batch leaves one, and the mark that the keys have to be compacted.
func TestACompactionRemovesEmptyBatches(t *testing.T) {
	st, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	k, id := st.Keys(), uuid.NewString()
	for _, subject := range []string{erasedSubject, keyPrefix + id} {
		if err := k.put(t.Context(), subject, nil); err != nil {
			t.Fatal(err)
		}
	}
	if done, err := k.Compact(t.Context()); !done || err != nil {
		t.Fatal(done, err)
	}
	if batches, err := k.Batches(t.Context()); err != nil || len(batches) != 0 {
		t.Errorf("got %v, %v, want no batch", batches, err)
	}
}
