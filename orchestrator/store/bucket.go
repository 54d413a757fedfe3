package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// operationTimeout bounds one operation whose caller allows more. Electing
	// a stream's leader takes 4–9 s after a crash and less than 1 s after a
	// clean stop: the second is waited for, the first is told as unavailable.
	operationTimeout = 4 * time.Second
	// askAgain is the pause after nobody took a request (there is no leader), and
	// noLeader how long that may go on: a hand-over takes less.
	askAgain = 100 * time.Millisecond
	noLeader = 2 * time.Second
	// inFlight is the pause while somebody else's write of the same key is being
	// replicated, which takes a round trip and an fsync: 2–10 ms.
	inFlight = 5 * time.Millisecond
)

// Entry is a value and the revision that a later compare-and-set must name.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	Created  time.Time // when this revision was written
	Deleted  bool      // the key is gone: deleted, purged or expired (Watch only)
	Size     int64     // bytes of the value, also where Value is left out
}

// Bucket is a set of keys with compare-and-set. A returned revision means the
// write is on disk, with a cluster on those of most replicas.
type Bucket struct {
	js      jetstream.JetStream
	leaving *departures
	reach   *reach
	kv      jetstream.KeyValue
	markers bool // deletions expire by themselves
	// remake is for a bucket in memory: a lone NATS server that was restarted
	// does not even know that there was one.
	remake func(context.Context) error
}

// Get reads a key; ErrNotFound when it is absent.
func (b *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	e, err := look(ctx, func(ctx context.Context) (jetstream.KeyValueEntry, error) { return b.kv.Get(ctx, key) })
	if err != nil {
		return Entry{}, b.wrap("reading", key, err)
	}
	return entryOf(e), nil
}

func entryOf(e jetstream.KeyValueEntry) Entry {
	return Entry{Key: e.Key(), Value: e.Value(), Revision: e.Revision(), Created: e.Created(), Size: int64(len(e.Value()))}
}

// Create writes a key that must not exist yet; else ErrExists, and who reads it
// then finds it. A write of it that is being replicated is waited for: until then
// it is not there, and it may yet come to nothing.
func (b *Bucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	for {
		rev, err := attempt(ctx, b.reach, func(ctx context.Context) (uint64, error) { return b.kv.Create(ctx, key, value) })
		if !hasCode(err, codeWrongLastInFlight) {
			return rev, b.wrap("creating", key, err)
		}
		select {
		case <-time.After(inFlight):
		case <-ctx.Done():
			return 0, b.wrap("creating", key, ctx.Err())
		}
	}
}

// Update replaces the value if its revision is still the given one; else
// ErrConflict, and the caller has to read again.
func (b *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	rev, err := attempt(ctx, b.reach, func(ctx context.Context) (uint64, error) { return b.kv.Update(ctx, key, value, revision) })
	if errors.Is(explain(err), ErrExists) {
		err = ErrConflict
	}
	return rev, b.wrap("updating", key, err)
}

// Put writes a key whatever it was before: for what the newest writer knows best.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error {
	_, err := attempt(ctx, b.reach, func(ctx context.Context) (uint64, error) { return b.kv.Put(ctx, key, value) })
	return b.wrap("writing", key, err)
}

// Delete removes a key and its value; an absent one is not an error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	var opts []jetstream.KVDeleteOpt
	if b.markers {
		opts = append(opts, jetstream.PurgeTTL(markerTTL))
	}
	_, err := attempt(ctx, b.reach, func(ctx context.Context) (struct{}, error) { return struct{}{}, b.kv.Purge(ctx, key, opts...) })
	return b.wrap("deleting", key, err)
}

// Each calls f for every key there is now, in no order, until f fails.
func (b *Bucket) Each(ctx context.Context, f func(Entry) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failed error
	w := watcher{bucket: b, once: true, f: func(e Entry) {
		if e.Key == "" || failed != nil {
			return
		}
		if failed = f(e); failed != nil {
			cancel()
		}
	}}
	err := w.run(ctx)
	if failed != nil {
		return failed
	}
	return b.wrap("listing", "*", err)
}

func (b *Bucket) wrap(doing, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s/%s: %w", doing, b.kv.Bucket(), key, explain(err))
}

// attempt does a request within the bound. While nobody is there to take it, it
// asks again: that is safe, because nobody has done anything. A replica that
// knows itself to be cut off does not even ask: it might take the request, and
// learn later that it could not keep it.
func attempt[T any](ctx context.Context, r *reach, f func(context.Context) (T, error)) (T, error) {
	if err := r.wait(ctx); err != nil {
		return *new(T), err
	}
	ctx, done := r.during(ctx)
	defer done()
	v, err := persist(ctx, noLeader, f)
	if err != nil && errors.Is(context.Cause(ctx), errCutOff) {
		err = errCutOff
	}
	return v, err
}

// look is attempt for what only reads: an election may well end while it waits.
func look[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	return persist(ctx, operationTimeout, f)
}

func persist[T any](ctx context.Context, patience time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	for end := time.Now().Add(patience); ; {
		v, err := f(ctx)
		if !nobody(err) || time.Now().After(end) {
			return v, err
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return v, err
		}
	}
}
