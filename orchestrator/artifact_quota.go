package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// maxArtifactBytes bounds all artifacts: half their bucket, as a record that
	// was replaced is on disk until its block is compacted.
	maxArtifactBytes = 256 << 20
	// maxArtifactsEach bounds what one identity keeps: beyond it, and beyond nine
	// tenths of all bytes, its own oldest ones go.
	maxArtifactsEach = 10_000
	// artifactWriters is how many artifacts one replica writes at once: at 1 MiB
	// each a quarter of what all may have. Identities share a place by chance.
	artifactWriters = 64
)

// lockShelf waits until no other call writes to this shelf, or ctx ends.
func (as *artifacts) lockShelf(ctx context.Context, name string) (done func(), err error) {
	place := as.writing[writerOf(name)]
	select {
	case place <- struct{}{}:
		return func() { <-place }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func writerOf(name string) uint32 {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name))
	return sum.Sum32() % artifactWriters
}

// uncertainWrite is a write whose outcome is unknown. Its bytes stay reserved until
// the store tells. There are at most artifactWriters.
type uncertainWrite struct {
	key  string
	size int64
}

// resolveUncertain asks the store for the outcome of uncertain writes. While the store
// is unavailable, no artifact is written.
func (as *artifacts) resolveUncertain(ctx context.Context) error {
	as.mu.Lock()
	doubts := slices.Collect(maps.Keys(as.uncertain))
	as.mu.Unlock()
	for _, d := range doubts {
		e, err := as.bucket.Get(ctx, d.key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil {
			as.observe(e)
		}
		as.mu.Lock()
		if as.uncertain[d] {
			delete(as.uncertain, d)
			as.reserved -= d.size
		}
		as.mu.Unlock()
	}
	return nil
}

// evict removes the identity's oldest artifacts, and, when all together are
// too many, the oldest of the identity that has the most; then it reserves the bytes.
func (as *artifacts) evict(ctx context.Context, name string, size int64) error {
	for {
		from, oldest := as.surplus(name, size)
		if from == "" {
			return nil
		}
		if err := as.bucket.Delete(ctx, artifactKey(from, oldest.id)); err != nil {
			return err
		}
		as.removed(from, oldest)
		as.log.Info("artifact evicted", "artifact_id", oldest.id, "created_at", oldest.created)
	}
}

// removed takes an artifact off its shelf, unless its identity has it anew.
func (as *artifacts) removed(name string, k kept) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if s := as.shelves[name]; s != nil && slices.Contains(s.kept, k) {
		as.drop(name, k.id)
	}
}

// surplus names what has to go before that many bytes come. When nothing has,
// from is "", and the bytes are reserved.
func (as *artifacts) surplus(name string, size int64) (from string, oldest kept) {
	as.mu.Lock()
	defer as.mu.Unlock()
	s, has := as.shelves[name], int64(0)
	if s != nil {
		has = s.bytes
	}
	switch {
	case s != nil && (len(s.kept) >= maxArtifactsEach || has+size > most(as.limit)):
		from = name
	case !admits(as.limit, as.bytes+as.reserved, has, size) && len(as.shelves) > 0:
		from = slices.MaxFunc(slices.Collect(maps.Keys(as.shelves)), func(a, b string) int {
			return cmp.Or(cmp.Compare(as.shelves[a].bytes, as.shelves[b].bytes), cmp.Compare(a, b))
		})
	default:
		as.reserved += size
		return "", kept{}
	}
	return from, as.shelves[from].kept[0]
}
