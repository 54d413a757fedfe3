package store_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestBucketsAreNATSKeyValueBuckets writes with one and reads with the other, both ways: a
// replica of an earlier version uses the client library's buckets.
func TestBucketsAreNATSKeyValueBuckets(t *testing.T) {
	s := open(t, t.TempDir())
	for _, name := range []string{store.Tasks, store.Idempotency} { // with and without markers that expire
		b := s.Bucket(name)
		kv, err := s.KeyValue(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		made, err := b.Create(t.Context(), "ours", []byte("1"))
		if err != nil {
			t.Fatal(err)
		}
		if e, err := kv.Get(t.Context(), "ours"); err != nil || string(e.Value()) != "1" || e.Revision() != made {
			t.Fatalf("%s: theirs read %v, %v; want revision %d", name, e, err, made)
		}
		changed, err := kv.Update(t.Context(), "ours", []byte("2"), made)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Update(t.Context(), "ours", []byte("3"), made); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: an update of an older revision: got %v, want %v", name, err, store.ErrConflict)
		}
		if e, err := b.Get(t.Context(), "ours"); err != nil || string(e.Value) != "2" || e.Revision != changed {
			t.Errorf("%s: read %+v, %v; want revision %d", name, e, err, changed)
		}
		if _, err := b.Create(t.Context(), "ours", nil); !errors.Is(err, store.ErrExists) {
			t.Errorf("%s: created twice: got %v, want %v", name, err, store.ErrExists)
		}
		if err := b.Delete(t.Context(), "ours"); err != nil {
			t.Fatal(err)
		}
		if _, err := kv.Get(t.Context(), "ours"); !errors.Is(err, jetstream.ErrKeyNotFound) {
			t.Errorf("%s: theirs read what was deleted: %v", name, err)
		}
		if _, err := kv.Create(t.Context(), "ours", []byte("4")); err != nil {
			t.Errorf("%s: theirs creating a deleted key: %v", name, err)
		}
		for _, remove := range []func() error{
			func() error { return kv.Delete(t.Context(), "ours") },
			func() error { return kv.Purge(t.Context(), "ours") },
		} {
			if err := remove(); err != nil {
				t.Fatal(err)
			}
			if e, err := b.Get(t.Context(), "ours"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: read what theirs deleted: %+v, %v", name, e, err)
			}
			if _, err := b.Create(t.Context(), "ours", []byte("5")); err != nil {
				t.Errorf("%s: creating a key that theirs deleted: %v", name, err)
			}
		}
	}
}

// TestAKeyIsNoPattern: keys are parts of subjects, where * and > stand for others.
func TestAKeyIsNoPattern(t *testing.T) {
	b := open(t, t.TempDir()).Bucket(store.Tasks)
	if _, err := b.Create(t.Context(), "a.b", []byte("1")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "*", ">", "a.*", "a.>", "a b", ".a", "a.", "a..b", "a\r\nb"} {
		if e, err := b.Get(t.Context(), key); err == nil {
			t.Errorf("read %q: got %+v", key, e)
		}
		if _, err := b.Create(t.Context(), key, nil); err == nil {
			t.Errorf("created %q", key)
		}
		if err := b.Put(t.Context(), key, nil); err == nil {
			t.Errorf("wrote %q", key)
		}
		if err := b.Delete(t.Context(), key); err == nil {
			t.Errorf("deleted %q", key)
		}
	}
}
