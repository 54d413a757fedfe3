package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

var errDiffers = errors.New("written data differs from the source")

// createdKey is a key that Copy has made: its revision and the digest of its value.
// The zero one is a key that it has not made.
type createdKey struct {
	revision uint64
	digest   [sha256.Size]byte
}

// found counts a key that was there before.
func (c *Copied) found(ctx context.Context, target *Bucket, e Entry) error {
	have, err := target.Get(ctx, e.Key)
	switch {
	case errors.Is(err, ErrNotFound): // it went meanwhile: it is not brought back
		c.Gone++
	case err != nil:
		return err
	case bytes.Equal(have.Value, e.Value):
		c.Present++
	default:
		c.Kept++
	}
	return nil
}

// verify reads a key back. Changes in the target since are kept; a change in the source
// since is copied as well.
func (c *Copied) verify(ctx context.Context, from, to *Store, e Entry, made createdKey) error {
	target := to.Bucket(c.Bucket)
	have, err := target.Get(ctx, e.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		return c.gone(ctx, target, e.Key, made.revision)
	case err != nil:
		return err
	case have.Revision == made.revision && sha256.Sum256(have.Value) != made.digest:
		return fmt.Errorf("reading %s back: %w", e.Key, errDiffers)
	case have.Revision == made.revision && !bytes.Equal(have.Value, e.Value):
		return c.renew(ctx, from, to, e, made.revision)
	case bytes.Equal(have.Value, e.Value):
		c.add(e)
	}
	return nil
}

// add adds a key to the digest.
func (c *Copied) add(e Entry) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", len(e.Key), e.Key, e.Value))
	for i := range sum {
		c.Digest[i] ^= sum[i] // keys are unique, so their order does not matter
	}
}

// gone tells a key that was deleted or has expired from one that was lost: the bucket
// has reached the key's revision.
func (c *Copied) gone(ctx context.Context, target *Bucket, key string, revision uint64) error {
	if revision == 0 {
		return nil // it was counted before, or is newer than the first look
	}
	info, err := readWithin(ctx, func(ctx context.Context) (*jetstream.StreamInfo, error) { return target.stream.Info(ctx) })
	if err != nil {
		return target.wrap("looking for", key, err)
	}
	if info.State.LastSeq < revision {
		return fmt.Errorf("reading %s back: it was lost: %w", key, errDiffers)
	}
	c.Gone++
	return nil
}

// renew copies a change in the source, unless the key is changed in the target at the
// same time.
func (c *Copied) renew(ctx context.Context, from, to *Store, e Entry, revision uint64) error {
	if c.Bucket == Tasks {
		if err := copyEvents(ctx, from.events, to.events, e.Key); err != nil {
			return err
		}
	}
	_, err := to.Bucket(c.Bucket).Update(ctx, e.Key, e.Value, revision)
	if errors.Is(err, ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	c.Renewed++
	c.add(e)
	return nil
}
