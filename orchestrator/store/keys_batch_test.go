package store

import (
	"strings"
	"testing"
	"time"

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

// TestABatchAgesWhileTheMachineSleeps: the age of keys is that of the wall clock, as it is
// where those without a task are destroyed, also when it is set back.
func TestABatchAgesWhileTheMachineSleeps(t *testing.T) {
	st, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	k := st.Keys()
	for _, leap := range []time.Duration{0, batchAge, -batchAge - time.Minute} {
		before := k.batch
		k.made = k.made.Add(-leap)
		if _, err := k.New(t.Context()); err != nil {
			t.Fatal(err)
		}
		if k.batch == before {
			t.Errorf("after %s: keys of the old batch", leap)
		}
		if strings.Contains(k.made.String(), " m=") {
			t.Errorf("%s is measured by the monotonic clock", k.made)
		}
	}
}
