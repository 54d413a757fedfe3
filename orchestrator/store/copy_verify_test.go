package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
)

// TestACopyTakesWhatHappensMeanwhile has keys deleted and changed on both sides
// between the steps of a copy.
func TestACopyTakesWhatHappensMeanwhile(t *testing.T) {
	ctx := t.Context()
	var stores [2]*Store
	for i := range stores {
		var err error
		if stores[i], err = Open(ctx, Options{Dir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stores[i].Close() })
	}
	from, to := stores[0], stores[1]
	target := to.Bucket(Tasks)
	c := Copied{Bucket: Tasks}
	check := func(what string, err error, want Copied) {
		t.Helper()
		want.Bucket, want.Digest = Tasks, c.Digest
		if err != nil || c != want {
			t.Errorf("%s: got %v, %+v, want %+v", what, err, c, want)
		}
		c = Copied{Bucket: Tasks}
	}
	entry := func(key, value string) Entry {
		for i := range 2 {
			if err := from.Events().Append(key, fmt.Append(nil, key, i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := from.Events().Barrier(ctx); err != nil {
			t.Fatal(err)
		}
		return Entry{Key: key, Value: []byte(value)}
	}
	copied := func(e Entry) createdKey {
		revision, err := copyKey(ctx, from, to, Tasks, e)
		if err != nil {
			t.Fatal(err)
		}
		return createdKey{revision, sha256.Sum256(e.Value)}
	}
	remove := func(key string) {
		if err := target.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
	}

	events := func(key string) (n int) {
		for cursor := uint64(0); ; n++ {
			_, next, err := to.Events().Read(ctx, key, cursor)
			if err != nil {
				return n
			}
			cursor = next
		}
	}

	old := entry("old", "1")
	copied(old)
	remove("old")
	check("one that was there, and was swept", c.found(ctx, target, old), Copied{Gone: 1})

	swept := entry("swept", "1")
	made := copied(swept)
	remove("swept")
	check("one that was made, and was swept", c.verify(ctx, from, to, swept, made), Copied{Gone: 1})
	made.revision += 100
	if err := c.verify(ctx, from, to, swept, made); !errors.Is(err, errDiffers) || c.Gone != 0 {
		t.Errorf("one that was lost: got %v", err)
	}

	changed := entry("changed", "1")
	made = copied(changed)
	changed = entry("changed", "2") // with two events more
	check("one that has changed in the source", c.verify(ctx, from, to, changed, made), Copied{Renewed: 1})
	if e, err := target.Get(ctx, "changed"); err != nil || string(e.Value) != "2" {
		t.Errorf("in the target: got %q, %v, want 2", e.Value, err)
	}
	if n := events("changed"); n != 4 {
		t.Errorf("%d of its events are in the target, want 4", n)
	}

	taken := entry("taken", "1")
	made = copied(taken)
	if _, err := target.Update(ctx, "taken", []byte("theirs"), made.revision); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(to.Events().Append("taken", []byte("theirs")), to.Events().Barrier(ctx)); err != nil {
		t.Fatal(err)
	}
	taken.Value = []byte("2")
	check("one that has changed in both", c.verify(ctx, from, to, taken, made), Copied{})
	if e, err := target.Get(ctx, "taken"); err != nil || string(e.Value) != "theirs" {
		t.Errorf("in the target: got %q, %v, want theirs", e.Value, err)
	}

	if n := events("taken"); n != 3 {
		t.Errorf("%d of its events are in the target, want all 3", n)
	}

	wrong := entry("wrong", "1")
	made = copied(wrong)
	made.digest[0]++
	if err := c.verify(ctx, from, to, wrong, made); !errors.Is(err, errDiffers) {
		t.Errorf("another value than was written: got %v", err)
	}
}
