package store

import (
	"errors"
	"fmt"
	"testing"
)

// TestKeysThatAreFullCanBeDestroyed: new keys leave the room that it takes to destroy old
// ones and to compact them.
func TestKeysThatAreFullCanBeDestroyed(t *testing.T) {
	st, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	k := st.Keys()
	name, err := k.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := range (keyBytes-keyReserve)>>19 - 1 {
		if err := k.put(t.Context(), fmt.Sprint(keyPrefix, "large", n), make([]byte, 1<<19)); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; ; n++ {
		k.batch = "" // the next key is of a new batch
		_, err := k.New(t.Context())
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil || n > keyBytes/(batchKeys*keyEntry) {
			t.Fatalf("batch %d: %v", n, err)
		}
	}
	if err := k.Destroy(t.Context(), name); err != nil {
		t.Errorf("destroying a key: %v", err)
	}
	if done, err := k.Compact(t.Context()); !done || err != nil {
		t.Errorf("compacting: %v, %v", done, err)
	}
}
