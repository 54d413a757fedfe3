package orchestrator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// maxArtifactBytes bounds all artifacts: half their bucket, as a record that
	// was replaced is on disk until its block is compacted.
	maxArtifactBytes = 256 << 20
	// maxArtifactsEach and maxArtifactBytesEach bound what one identity keeps:
	// beyond them its own oldest ones go.
	maxArtifactsEach     = 10_000
	maxArtifactBytesEach = 64 << 20
)

// shelf is what one identity keeps, the oldest first.
type shelf struct {
	kept  []kept
	bytes int64
}

type kept struct {
	id      string
	size    int64
	created time.Time
}

// artifacts are kept on disk under their identity's and their content's digest;
// memory knows which there are. One is written at a time.
type artifacts struct {
	bucket *store.Bucket
	log    *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	shelves map[string]*shelf // by identity
	bytes   int64
}

func newArtifacts(b *store.Bucket, log *slog.Logger, now func() time.Time) *artifacts {
	return &artifacts{bucket: b, log: log, now: now, shelves: map[string]*shelf{}}
}

// load reads which artifacts there are.
func (as *artifacts) load(ctx context.Context) error {
	err := as.bucket.Each(ctx, func(e store.Entry) error {
		var a Artifact
		if err := json.Unmarshal(e.Value, &a); err != nil {
			return fmt.Errorf("decoding artifact %s: %w", e.Key, err)
		}
		as.note(a, int64(len(e.Value)))
		return nil
	})
	for _, s := range as.shelves {
		slices.SortFunc(s.kept, func(a, b kept) int { return a.created.Compare(b.created) })
	}
	return err
}

func (as *artifacts) note(a Artifact, size int64) {
	s := as.shelves[a.Owner]
	if s == nil {
		s = &shelf{}
		as.shelves[a.Owner] = s
	}
	s.kept = append(s.kept, kept{a.ID, size, a.CreatedAt})
	s.bytes += size
	as.bytes += size
}

// put keeps an artifact. The same one again changes nothing.
func (as *artifacts) put(ctx context.Context, who Who, r ArtifactRequest) (Artifact, error) {
	a, value, err := newArtifact(who.Identity, r, as.now())
	if err != nil {
		return Artifact{}, err
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	if r.Parent != "" && !as.has(who.Identity, r.Parent) {
		return Artifact{}, fail(Invalid, "PARENT_NOT_FOUND", "no artifact of yours has the parent's id")
	}
	key := keyOf(who.Identity, a.ID)
	if as.has(who.Identity, a.ID) {
		earlier, err := as.read(ctx, key)
		if err == nil && !earlier.same(a) {
			err = fail(Conflict, "ARTIFACT_EXISTS", "this content is kept already, with another kind, parent, tags or metadata")
		}
		return earlier, err
	}
	if err := as.makeRoom(ctx, who.Identity, int64(len(value))); err != nil {
		return Artifact{}, err
	}
	if err := as.bucket.Put(ctx, key, value); err != nil {
		return Artifact{}, err
	}
	as.note(a, int64(len(value)))
	return a, nil
}

func (as *artifacts) has(identity, id string) bool {
	s := as.shelves[identity]
	return s != nil && slices.ContainsFunc(s.kept, func(k kept) bool { return k.id == id })
}

// makeRoom removes the identity's oldest artifacts, and, when all together are
// too many, the oldest of whoever has the most.
func (as *artifacts) makeRoom(ctx context.Context, identity string, size int64) error {
	for {
		s, from := as.shelves[identity], identity
		switch {
		case s != nil && (len(s.kept) >= maxArtifactsEach || s.bytes+size > maxArtifactBytesEach):
		case as.bytes+size > maxArtifactBytes:
			from = slices.MaxFunc(slices.Collect(maps.Keys(as.shelves)), func(a, b string) int {
				return cmp.Or(cmp.Compare(as.shelves[a].bytes, as.shelves[b].bytes), cmp.Compare(a, b))
			})
		default:
			return nil
		}
		if err := as.dropOldest(ctx, from); err != nil {
			return err
		}
	}
}

func (as *artifacts) dropOldest(ctx context.Context, identity string) error {
	s := as.shelves[identity]
	oldest := s.kept[0]
	if err := as.bucket.Delete(ctx, keyOf(identity, oldest.id)); err != nil {
		return err
	}
	s.kept = s.kept[1:]
	s.bytes -= oldest.size
	as.bytes -= oldest.size
	if len(s.kept) == 0 {
		delete(as.shelves, identity)
	}
	as.log.Info("artifact made room", "artifact_id", oldest.id, "identity", identity, "created_at", oldest.created)
	return nil
}

// get gives an artifact that who may see; a foreign one is as if absent.
func (as *artifacts) get(ctx context.Context, who Who, id string) (Artifact, error) {
	owner := who.Identity
	as.mu.Lock()
	if who.Admin && !as.has(owner, id) {
		for identity := range as.shelves {
			if as.has(identity, id) {
				owner = identity
			}
		}
	}
	known := artifactID.MatchString(id) && as.has(owner, id)
	as.mu.Unlock()
	if !known {
		return Artifact{}, noSuchArtifact()
	}
	a, err := as.read(ctx, keyOf(owner, id))
	if errors.Is(err, store.ErrNotFound) { // it made room meanwhile
		return Artifact{}, noSuchArtifact()
	}
	return a, err
}

func (as *artifacts) read(ctx context.Context, key string) (Artifact, error) {
	e, err := as.bucket.Get(ctx, key)
	if err != nil {
		return Artifact{}, err
	}
	var a Artifact
	if err := json.Unmarshal(e.Value, &a); err != nil {
		return Artifact{}, fmt.Errorf("decoding artifact %s: %w", key, err)
	}
	return a, nil
}

func noSuchArtifact() *Error {
	return fail(NotFound, "ARTIFACT_NOT_FOUND", "no artifact of yours has this id")
}

// KeepArtifact keeps what a caller made; its id says what it is.
func (o *Orchestrator) KeepArtifact(ctx context.Context, who Who, r ArtifactRequest) (Artifact, error) {
	if err := o.store.Room(); err != nil {
		return Artifact{}, o.full(err)
	}
	return o.artifacts.put(ctx, who, r)
}

// Artifact gives an artifact of the caller's.
func (o *Orchestrator) Artifact(ctx context.Context, who Who, id string) (Artifact, error) {
	return o.artifacts.get(ctx, who, id)
}
