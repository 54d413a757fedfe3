package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// copied are the buckets that move: what must survive. Nodes register again
// within a heartbeat, and leases are taken anew.
var copied = []string{NodeOwners, Catalog, Artifacts, Sessions, Idempotency, Tasks}

const (
	// copyBarrier is how many event records may be on their way at once.
	copyBarrier = 256
	// minTTL is the shortest that JetStream accepts; a key with less left is
	// not copied.
	minTTL = 2 * time.Second
)

// Copied is what Copy did with one bucket.
type Copied struct {
	Bucket  string
	Source  int               // keys in the source
	Created int               // keys made in the target now
	Present int               // keys that were there already with the same value
	Kept    int               // keys that were there with another value: the target's is kept
	Expired int               // keys that have expired
	Renewed int               // keys that changed in the source meanwhile, and were copied anew
	Gone    int               // keys that were in the target and are no more: expired there, or deleted
	Digest  [sha256.Size]byte // of keys and values as they are in both
}

// Copy writes everything of from into to, and reads it back: each key that Copy
// has made must have the value of the source, or have been changed or deleted
// since. It only creates: what is in the target stays, so that it can
// be run again after a crash, and the source is not changed. Events of a task go
// before its record, so that a replica that takes up the task finds them.
func Copy(ctx context.Context, from, to *Store) ([]Copied, error) {
	return copyWhile(ctx, from, to, func() error { return nil })
}

// copyWhile is Copy of a source in which tasks are admitted after its first look at keys and
// bodies: a test does that in admit.
func copyWhile(ctx context.Context, from, to *Store, admit func() error) ([]Copied, error) {
	if err := copyKeys(ctx, from.keys, to.keys); err != nil { // before what they are for
		return nil, err
	}
	bodies, err := copyContent(ctx, from.content, to.content, 1) // before the records that name them
	if err != nil {
		return nil, err
	}
	if err := admit(); err != nil {
		return nil, err
	}
	var done []Copied
	for _, name := range copied {
		c, err := copyBucket(ctx, from, to, name)
		if err != nil {
			return done, fmt.Errorf("copying %s: %w", name, err)
		}
		done = append(done, c)
	}
	// Of tasks that a running source has admitted meanwhile.
	if err := copyKeys(ctx, from.keys, to.keys); err != nil {
		return done, err
	}
	_, err = copyContent(ctx, from.content, to.content, bodies)
	return done, err
}

func copyBucket(ctx context.Context, from, to *Store, name string) (Copied, error) {
	c := Copied{Bucket: name}
	source, target := from.Bucket(name), to.Bucket(name)
	made := make(map[string]createdKey)
	err := source.Each(ctx, func(e Entry) error {
		c.Source++
		revision, err := copyKey(ctx, from, to, name, e)
		switch {
		case errors.Is(err, errExpired):
			c.Expired++
			return nil
		case errors.Is(err, ErrExists):
			return c.found(ctx, target, e)
		case err != nil:
			return err
		}
		c.Created++
		made[e.Key] = createdKey{revision, sha256.Sum256(e.Value)}
		return nil
	})
	if err != nil {
		return c, err
	}
	return c, source.Each(ctx, func(e Entry) error { return c.verify(ctx, from, to, e, made[e.Key]) })
}

var errExpired = errors.New("key has expired")

func copyKey(ctx context.Context, from, to *Store, name string, e Entry) (uint64, error) {
	target := to.Bucket(name)
	if name == Tasks {
		if _, err := target.Get(ctx, e.Key); !errors.Is(err, ErrNotFound) {
			if err == nil {
				err = ErrExists
			}
			return 0, err
		}
		if err := copyEvents(ctx, from.events, to.events, e.Key); err != nil {
			return 0, err
		}
	}
	if name != Sessions {
		return target.Create(ctx, e.Key, e.Value) // an idempotency key may live longer than before, which does no harm
	}
	left := SessionTTL - time.Since(e.Created)
	if left < minTTL {
		return 0, errExpired
	}
	return target.createFor(ctx, e.Key, e.Value, left)
}

// copyEvents begins again what an interrupted run has left: the task's record is
// not there yet, so no replica reads or writes its events.
func copyEvents(ctx context.Context, from, to *EventLog, task string) error {
	if _, err := to.Last(ctx, task); err == nil {
		if err := to.Forget(ctx, task); err != nil {
			return err
		}
	}
	n, last := 0, []byte(nil)
	for cursor := uint64(0); ; n++ {
		record, next, err := from.Read(ctx, task, cursor)
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return err
		}
		if err := to.Append(task, record); err != nil {
			return err
		}
		last = record
		if cursor = next; n%copyBarrier == copyBarrier-1 {
			if err := to.Barrier(ctx); err != nil {
				return err
			}
		}
	}
	if n == 0 {
		return nil
	}
	if err := to.Barrier(ctx); err != nil {
		return err
	}
	if got, err := to.Last(ctx, task); err != nil || !bytes.Equal(got, last) {
		return fmt.Errorf("copied events of task %s are incomplete: %w", task, errors.Join(err, errDiffers))
	}
	return nil
}
