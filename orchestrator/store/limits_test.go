package store

import (
	"context"
	"fmt"
	"testing"
)

func TestTheLimitsOfAllBucketsFitTheStore(t *testing.T) {
	sum := int64(eventMaxSize + DefaultContentBytes + keyBytes)
	for _, b := range layout {
		if b.maxBytes <= 0 || b.maxValueSize <= 0 {
			t.Errorf("%s has no limit", b.name)
		}
		sum += b.maxBytes
	}
	if sum > DefaultMaxStoreBytes {
		t.Errorf("the limits add up to %d MiB, over %d", sum>>20, DefaultMaxStoreBytes>>20)
	}
}

func TestAFullBucketRefusesWritesAndLosesNone(t *testing.T) {
	st, err := Open(context.Background(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	b := st.Bucket(Leases) // the smallest
	value := make([]byte, 60<<10)
	n := 0
	for ; n < 100; n++ {
		if _, err = b.Create(t.Context(), fmt.Sprint("key", n), value); err != nil {
			break
		}
	}
	if err == nil || n < 10 {
		t.Fatalf("%d values of 60 KiB written into 1 MiB: %v", n, err)
	}
	for i := range n {
		if _, err := b.Get(t.Context(), fmt.Sprint("key", i)); err != nil {
			t.Errorf("acknowledged, then pushed out: %v", err)
		}
	}
	if err := b.Delete(t.Context(), "key0"); err != nil {
		t.Errorf("deleting from a full bucket: %v", err)
	}
	if _, err := b.Create(t.Context(), "after", value[:30<<10]); err != nil {
		t.Errorf("after a deletion: %v", err)
	}
}
