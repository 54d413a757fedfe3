package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// copied are the buckets that move: what must survive. Nodes register again
// within a heartbeat, and a lease belongs to those who are there.
var copied = []string{NodeOwners, Catalog, Artifacts, Sessions, Idempotency, Tasks}

const (
	// copyBarrier is how many event records may be on their way at once.
	copyBarrier = 256
	// minTTL is the shortest that JetStream takes; what has less left is gone
	// before anybody could ask for it.
	minTTL = 2 * time.Second
)

// Copied is what Copy did with one bucket.
type Copied struct {
	Bucket  string
	Source  int               // keys in the source
	Created int               // keys made in the target now
	Present int               // keys that were there already with the same value
	Kept    int               // keys that were there with another value: the target's is kept
	Expired int               // keys whose time is over
	Digest  [sha256.Size]byte // of keys and values as they are in both
}

// Copy writes everything of from into to, and reads it back: each key that Copy
// has made must have the value of the source, or have been changed by somebody
// else since. It only creates: what is in the target stays, so that it can be
// run again after a crash, and the source is not changed. Events of a task go
// before its record, so that a replica that takes up the task finds them.
func Copy(ctx context.Context, from, to *Store) ([]Copied, error) {
	var done []Copied
	for _, name := range copied {
		c, err := copyBucket(ctx, from, to, name)
		if err != nil {
			return done, fmt.Errorf("copying %s: %w", name, err)
		}
		done = append(done, c)
	}
	return done, nil
}

func copyBucket(ctx context.Context, from, to *Store, name string) (Copied, error) {
	c := Copied{Bucket: name}
	source, target := from.Bucket(name), to.Bucket(name)
	made := make(map[string]uint64) // what we made, and its revision
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
		made[e.Key] = revision
		return nil
	})
	if err != nil {
		return c, err
	}
	return c, source.Each(ctx, func(e Entry) error { return c.verify(ctx, target, e, made[e.Key]) })
}

var errExpired = errors.New("its time is over")

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
		return target.Create(ctx, e.Key, e.Value) // a key for idempotency may live for longer; that does no harm
	}
	left := SessionTTL - time.Since(e.Created)
	if left < minTTL {
		return 0, errExpired
	}
	revision, err := attempt(ctx, target.reach, func(ctx context.Context) (uint64, error) {
		return target.kv.Create(ctx, e.Key, e.Value, jetstream.KeyTTL(left))
	})
	return revision, target.wrap("creating", e.Key, err)
}

// copyEvents begins again what an interrupted run has left: the task's record is
// not there yet, so nobody reads or writes its events.
func copyEvents(ctx context.Context, from, to *EventLog, task string) error {
	if _, err := to.Last(ctx, task); err == nil {
		if err := to.Forget(ctx, task); err != nil {
			return err
		}
	}
	n := 0
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
	return sameEnd(ctx, from, to, task)
}

func sameEnd(ctx context.Context, from, to *EventLog, task string) error {
	want, err := from.Last(ctx, task)
	if err != nil {
		return err
	}
	if got, err := to.Last(ctx, task); err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("events of task %s did not arrive: %w", task, errors.Join(err, errDiffers))
	}
	return nil
}

var errDiffers = errors.New("what was written is not what was read")

// found counts a key that was there before.
func (c *Copied) found(ctx context.Context, target *Bucket, e Entry) error {
	have, err := target.Get(ctx, e.Key)
	switch {
	case err != nil:
		return err
	case bytes.Equal(have.Value, e.Value):
		c.Present++
	default:
		c.Kept++
	}
	return nil
}

// verify reads a key back. revision is the one that we made, or 0.
func (c *Copied) verify(ctx context.Context, target *Bucket, e Entry, revision uint64) error {
	have, err := target.Get(ctx, e.Key)
	switch {
	case errors.Is(err, ErrNotFound) && (revision == 0 || c.Bucket == Sessions):
		return nil // expired
	case err != nil:
		return err
	case bytes.Equal(have.Value, e.Value):
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", len(e.Key), e.Key, e.Value))
		for i := range sum {
			c.Digest[i] ^= sum[i] // keys are unique, so their order does not matter
		}
	case have.Revision == revision:
		return fmt.Errorf("reading %s back: %w", e.Key, errDiffers)
	}
	return nil
}
