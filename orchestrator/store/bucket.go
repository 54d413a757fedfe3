package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What a bucket answers when the key is not as the caller believed.
var (
	ErrNotFound = errors.New("no such key")
	ErrExists   = errors.New("key exists already")
	ErrConflict = errors.New("key was changed by somebody else")
)

// Entry is a value and the revision that a later compare-and-set must name.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	Created  time.Time // when this revision was written
}

// Bucket is a set of keys with compare-and-set. A returned revision means the
// write is on disk.
type Bucket struct {
	kv      jetstream.KeyValue
	markers bool // deletions expire by themselves
}

// Get reads a key; ErrNotFound when it is absent.
func (b *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	e, err := b.kv.Get(ctx, key)
	if err != nil {
		return Entry{}, b.wrap("reading", key, err)
	}
	return Entry{e.Key(), e.Value(), e.Revision(), e.Created()}, nil
}

// Create writes a key that must not exist yet; else ErrExists.
func (b *Bucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	rev, err := b.kv.Create(ctx, key, value)
	return rev, b.wrap("creating", key, err)
}

// Update replaces the value if its revision is still the given one; else
// ErrConflict, and the caller has to read again.
func (b *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	rev, err := b.kv.Update(ctx, key, value, revision)
	if errors.Is(err, jetstream.ErrKeyExists) {
		err = ErrConflict
	}
	return rev, b.wrap("updating", key, err)
}

// Put writes a key whatever it was before: for what the newest writer knows best.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error {
	_, err := b.kv.Put(ctx, key, value)
	return b.wrap("writing", key, err)
}

// Delete removes a key and its value; an absent one is not an error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	var opts []jetstream.KVDeleteOpt
	if b.markers {
		opts = append(opts, jetstream.PurgeTTL(markerTTL))
	}
	return b.wrap("deleting", key, b.kv.Purge(ctx, key, opts...))
}

// Each calls f for every key there is now, in no order, until f fails.
func (b *Bucket) Each(ctx context.Context, f func(Entry) error) error {
	w, err := b.kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return b.wrap("listing", "*", err)
	}
	defer w.Stop()
	for {
		select {
		case e := <-w.Updates():
			if e == nil { // everything there was has been seen
				return nil
			}
			if err := f(Entry{e.Key(), e.Value(), e.Revision(), e.Created()}); err != nil {
				return err
			}
		case <-ctx.Done():
			return b.wrap("listing", "*", ctx.Err())
		}
	}
}

func (b *Bucket) wrap(doing, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyNotFound), errors.Is(err, jetstream.ErrKeyDeleted):
		err = ErrNotFound
	case errors.Is(err, jetstream.ErrKeyExists):
		err = ErrExists
	}
	return fmt.Errorf("%s %s/%s: %w", doing, b.kv.Bucket(), key, err)
}
