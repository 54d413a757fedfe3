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
	// a stream's leader takes 4–9 s after a crash and less than 1 s after a clean
	// stop: the second is waited for, the first is reported as unavailable.
	operationTimeout = 4 * time.Second
	// retryPause is the pause after a request that no leader accepted, and
	// noLeaderTimeout how long that is retried: a hand-over takes less.
	retryPause      = 100 * time.Millisecond
	noLeaderTimeout = 2 * time.Second
	// inFlightPause is the pause while another write of the same key is being
	// replicated, which takes a round trip and an fsync: 2–10 ms.
	inFlightPause = 5 * time.Millisecond
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
	js        jetstream.JetStream
	shutdowns *shutdownNotices
	reach     *quorumLink
	stream    jetstream.Stream // that holds the keys
	in        keyspace
}

// Get reads a key; ErrNotFound when it is absent.
func (b *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	e, err := b.last(ctx, key)
	if err == nil && e.Deleted {
		err = ErrNotFound
	}
	if err != nil {
		return Entry{}, b.wrap("reading", key, err)
	}
	return e, nil
}

// Create writes a key that must not exist yet; else ErrExists, and a read after that
// finds it. It waits for another write of the key that is being replicated: until then
// the key does not exist, and that write may still fail.
func (b *Bucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.createFor(ctx, key, value, b.in.ttl)
}

// createFor is Create of a key that lives that long; 0: as long as the stream says.
func (b *Bucket) createFor(ctx context.Context, key string, value []byte, ttl time.Duration) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	for {
		rev, err := writeWithin(ctx, b.reach, func(ctx context.Context) (uint64, error) { return b.create(ctx, key, value, ttl) })
		if !hasCode(err, codeWrongLastInFlight) {
			return rev, b.wrap("creating", key, err)
		}
		select {
		case <-time.After(inFlightPause):
		case <-ctx.Done():
			return 0, b.wrap("creating", key, ctx.Err())
		}
	}
}

// Update replaces the value if its revision is still the given one; else
// ErrConflict, and the caller has to read again.
func (b *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	rev, err := writeWithin(ctx, b.reach, func(ctx context.Context) (uint64, error) {
		return b.publish(ctx, key, value, b.in.ttl, jetstream.WithExpectLastSequencePerSubject(revision))
	})
	if errors.Is(explain(err), ErrExists) {
		err = ErrConflict
	}
	return rev, b.wrap("updating", key, err)
}

// Put writes a key unconditionally: the newest writer wins.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error {
	_, err := writeWithin(ctx, b.reach, func(ctx context.Context) (uint64, error) { return b.publish(ctx, key, value, b.in.ttl) })
	return b.wrap("writing", key, err)
}

// Delete removes a key and its value; an absent one is not an error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	_, err := writeWithin(ctx, b.reach, func(ctx context.Context) (uint64, error) { return b.purge(ctx, key) })
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
	return fmt.Errorf("%s %s/%s: %w", doing, b.in.name, key, explain(err))
}

// writeWithin does a request within operationTimeout. While no server accepts it, it
// is retried: that is safe, because it had no effect. A replica without a link to a
// quorum sends nothing: its own server might accept the request, and lose it later.
func writeWithin[T any](ctx context.Context, r *quorumLink, f func(context.Context) (T, error)) (T, error) {
	if err := r.wait(ctx); err != nil {
		return *new(T), err
	}
	ctx, done := r.during(ctx)
	defer done()
	v, err := retryUnaccepted(ctx, noLeaderTimeout, f)
	if err != nil && errors.Is(context.Cause(ctx), errLinkDown) {
		err = errLinkDown
	}
	return v, err
}

// readWithin is writeWithin for reads: they wait for an election as long as they may.
func readWithin[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	return retryUnaccepted(ctx, operationTimeout, f)
}

func retryUnaccepted[T any](ctx context.Context, patience time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	for end := time.Now().Add(patience); ; {
		v, err := f(ctx)
		if !notAccepted(err) || time.Now().After(end) {
			return v, err
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return v, err
		}
	}
}
