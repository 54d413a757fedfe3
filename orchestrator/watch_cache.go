package orchestrator

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"

	"github.com/llorch/gateway/orchestrator/store"
)

// cached is a value and the revision that its next change must name; 0 when there is
// no record of it.
type cached[V any] struct {
	value    V
	revision uint64
}

// cacheIndex is how the owner of a recordCache keeps its values. All but decode and
// encode are called with mu held.
type cacheIndex[V any] interface {
	decode(value []byte) (V, error)
	encode(v V) ([]byte, error)
	lookUp(key string) *cached[V]                 // nil: none, or one that has expired
	put(key string, c cached[V]) (evicted string) // unless what is there is newer; evicted is a key whose record has to go
	drop(key string)
	vanished(key string) // the store has no record of it any more
	inMemory(v V) bool   // it has no record, and needs none
}

// recordCache is a bucket in memory. It follows the bucket's watch, and changes
// records by compare-and-set: first in the store, then here. When another replica was
// faster, it takes that over and tries again.
type recordCache[V any] struct {
	kind   string // of what a record is, for the log
	bucket *store.Bucket
	log    *slog.Logger
	index  cacheIndex[V]

	changing []mutex[lockRecordChange] // by key, held over a write

	mu mutex[lockRecords] // guards the owner's index
}

func newRecordCache[V any](kind string, b *store.Bucket, log *slog.Logger, atOnce int, index cacheIndex[V]) recordCache[V] {
	return recordCache[V]{kind: kind, bucket: b, log: log, index: index, changing: make([]mutex[lockRecordChange], atOnce)}
}

// observe takes over a record, or its deletion, from the store.
func (c *recordCache[V]) observe(e store.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Deleted {
		if known := c.index.lookUp(e.Key); known != nil && known.revision <= e.Revision {
			c.index.drop(e.Key)
		}
		return
	}
	v, err := c.index.decode(e.Value)
	if err != nil {
		c.log.Error("decoding "+c.kind+" record", "key", e.Key, "error", err)
		return
	}
	c.index.put(e.Key, cached[V]{v, e.Revision}) // an evicted record is deleted by the replica that added to it
}

// has reports whether memory has the key.
func (c *recordCache[V]) has(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.index.lookUp(key) != nil
}

// fetch takes a key over from the store if memory has it not: another replica may
// have written it just now.
func (c *recordCache[V]) fetch(ctx context.Context, key string) error {
	if c.has(key) {
		return nil
	}
	_, err := c.reread(ctx, key)
	return err
}

// reread takes over what the store has of a key. A record that memory does not take,
// because it has expired by our clock, is given by its revision.
func (c *recordCache[V]) reread(ctx context.Context, key string) (untaken uint64, err error) {
	e, err := c.bucket.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.index.vanished(key)
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	c.observe(e)
	if !c.has(key) {
		untaken = e.Revision
	}
	return untaken, nil
}

// modify changes a value by f, which is called with mu held and says whether there is
// something to change. f may be called again, with what another replica has written.
func (c *recordCache[V]) modify(ctx context.Context, key string, f func(next *cached[V], found bool) (changed bool, err error)) (V, error) {
	defer c.lock(key)()
	for untaken := uint64(0); ; {
		c.mu.Lock()
		next := cached[V]{revision: untaken}
		known := c.index.lookUp(key)
		if known != nil {
			next = *known
		}
		changed, err := f(&next, known != nil)
		if err != nil || !changed {
			c.mu.Unlock()
			return next.value, err
		}
		if c.index.inMemory(next.value) {
			evicted := c.index.put(key, next)
			c.mu.Unlock()
			return next.value, c.erase(ctx, evicted)
		}
		c.mu.Unlock()
		next.revision, err = c.write(ctx, key, next)
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) {
			if untaken, err = c.reread(ctx, key); err != nil {
				return next.value, err
			}
			continue
		}
		if err != nil {
			return next.value, err
		}
		c.mu.Lock()
		evicted := c.index.put(key, next)
		c.mu.Unlock()
		return next.value, c.erase(ctx, evicted)
	}
}

// write puts a value into the store, which begins its record's TTL anew.
func (c *recordCache[V]) write(ctx context.Context, key string, v cached[V]) (uint64, error) {
	value, err := c.index.encode(v.value)
	if err != nil {
		return 0, err
	}
	if v.revision == 0 {
		return c.bucket.Create(ctx, key, value)
	}
	return c.bucket.Update(ctx, key, value, v.revision)
}

// remove deletes a key, in the store and here.
func (c *recordCache[V]) remove(ctx context.Context, key string) error {
	defer c.lock(key)()
	if err := c.bucket.Delete(ctx, key); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index.drop(key)
	return nil
}

func (c *recordCache[V]) erase(ctx context.Context, evicted string) error {
	if evicted == "" {
		return nil
	}
	return c.bucket.Delete(ctx, evicted)
}

// lock keeps others on this replica from changing the key meanwhile.
func (c *recordCache[V]) lock(key string) (unlock func()) {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(key))
	m := &c.changing[sum.Sum32()%uint32(len(c.changing))]
	m.Lock()
	return m.Unlock
}
