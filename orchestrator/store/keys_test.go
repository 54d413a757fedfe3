package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// keyOf makes a key and reads it.
func keyOf(t *testing.T, k *store.Keys) (name string, key []byte) {
	t.Helper()
	name, err := k.New(t.Context())
	if err == nil {
		key, err = k.Key(t.Context(), name)
	}
	if err != nil || len(key) != store.KeyBytes {
		t.Fatalf("key %q: %d bytes, %v", name, len(key), err)
	}
	return name, bytes.Clone(key)
}

func TestKeysAreThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string][]byte{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 { // more than a batch
				name, err := st.Keys().New(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				key, err := st.Keys().Key(t.Context(), name)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				if kept[name] != nil {
					t.Errorf("key %s was given twice", name)
				}
				kept[name] = bytes.Clone(key)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	k := open(t, dir).Keys()
	for name, want := range kept {
		if got, err := k.Key(t.Context(), name); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("key %s after the restart: %v", name, err)
		}
	}
	batches, err := k.Batches(t.Context())
	if err != nil || len(batches) != 2 {
		t.Fatalf("400 keys in %d batches, %v", len(batches), err)
	}
	for id, made := range batches {
		names, err := k.Names(t.Context(), id)
		if err != nil || len(names) != 256 || time.Since(made).Abs() > time.Hour {
			t.Errorf("batch %s of %s has %d keys, %v", id, made, len(names), err)
		}
	}
}

// TestADestroyedKeyLeavesTheDisk destroys some keys of a batch: no file has their bytes
// after a compaction, and the others are still there.
func TestADestroyedKeyLeavesTheDisk(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir)
	checkErasure(t, []*store.Store{st}, []string{dir})
}

func TestADestroyedKeyLeavesTheDisksOfACluster(t *testing.T) {
	r := newReplicas(t, 3)
	r.open(0, 1, 2)
	dirs := []string{}
	for _, o := range r.options {
		dirs = append(dirs, o.Dir)
	}
	checkErasure(t, r.stores, dirs)
}

func checkErasure(t *testing.T, stores []*store.Store, dirs []string) {
	k := stores[0].Keys()
	name, key := keyOf(t, k)
	other, kept := keyOf(t, k)
	onDisks := func(key []byte) (n int) {
		for _, dir := range dirs {
			if len(testkit.OnDisk(t, dir, key)) > 0 {
				n++
			}
		}
		return n
	}
	testkit.Eventually(t, "every replica has the key", func() bool { return onDisks(key) == len(dirs) })
	if done, err := k.Compact(t.Context()); done || err != nil || onDisks(key) != len(dirs) {
		t.Fatalf("with nothing to erase: %v, %v; the key is on %d disks", done, err, onDisks(key))
	}
	if err := k.Destroy(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := k.Destroy(t.Context(), name); err != nil {
		t.Errorf("destroyed again: %v", err)
	}
	if _, err := k.Key(t.Context(), name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a destroyed key: got %v, want %v", err, store.ErrNotFound)
	}
	if done, err := k.Compact(t.Context()); !done || err != nil {
		t.Fatal(done, err)
	}
	testkit.Eventually(t, "the key is on no disk", func() bool { return onDisks(key) == 0 })
	for i, st := range stores {
		if got, err := st.Keys().Key(t.Context(), other); err != nil || !bytes.Equal(got, kept) {
			t.Errorf("the other key at replica %d: %v", i, err)
		}
	}
}

// TestReplicasDestroyKeysOfOneBatchAtOnce: no removal undoes another.
func TestReplicasDestroyKeysOfOneBatchAtOnce(t *testing.T) {
	st := open(t, t.TempDir())
	names := []string{}
	for range 40 {
		name, _ := keyOf(t, st.Keys())
		names = append(names, name)
	}
	var all sync.WaitGroup
	for i := range 4 {
		view, _, err := st.View(t.Context(), fmt.Sprint("view", i))
		if err != nil {
			t.Fatal(err)
		}
		defer view.Close()
		all.Go(func() {
			for n := i; n < len(names); n += 4 {
				if err := view.Keys().Destroy(t.Context(), names[n]); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			if _, err := view.Keys().Compact(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	fresh, _, err := st.View(t.Context(), "fresh") // with an empty cache
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	for _, name := range names {
		if _, err := fresh.Keys().Key(t.Context(), name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("key %s: got %v, want %v", name, err, store.ErrNotFound)
		}
	}
}

// TestKeysAreCopied with the state; keys that the target has destroyed are not brought
// back.
func TestKeysAreCopied(t *testing.T) {
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	name, key := keyOf(t, from.Keys())
	other, _ := keyOf(t, from.Keys())
	for range 2 {
		if _, err := store.Copy(t.Context(), from, to); err != nil {
			t.Fatal(err)
		}
		if got, err := to.Keys().Key(t.Context(), name); err != nil || !bytes.Equal(got, key) {
			t.Fatalf("the copied key: %v", err)
		}
		if err := to.Keys().Destroy(t.Context(), other); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := to.Keys().Key(t.Context(), other); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a key that was destroyed: got %v, want %v", err, store.ErrNotFound)
	}
}

// TestACompactionThatACrashHasCutIsDoneLater: the store still knows of the destroyed key.
func TestACompactionThatACrashHasCutIsDoneLater(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	name, key := keyOf(t, st.Keys())
	if err := st.Keys().Destroy(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if len(testkit.OnDisk(t, dir, key)) == 0 {
		t.Fatal("the bytes went without a compaction: this test shows nothing")
	}
	st = open(t, dir)
	if done, err := st.Keys().Compact(t.Context()); !done || err != nil {
		t.Fatal(done, err)
	}
	testkit.Eventually(t, "the key is not on the disk", func() bool { return len(testkit.OnDisk(t, dir, key)) == 0 })
	if done, err := st.Keys().Compact(t.Context()); done || err != nil {
		t.Errorf("once more: %v, %v", done, err)
	}
}
