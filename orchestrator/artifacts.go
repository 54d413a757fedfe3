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
	"strings"
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
// memory knows which there are, and how large. A replica writes one at a time.
type artifacts struct {
	bucket *store.Bucket
	log    *slog.Logger
	now    func() time.Time
	shared bool

	writing sync.Mutex // held over a write

	mu      sync.Mutex
	shelves map[string]*shelf // by shelfOf an identity
	bytes   int64
}

func newArtifacts(b *store.Bucket, log *slog.Logger, now func() time.Time) *artifacts {
	return &artifacts{bucket: b, log: log, now: now, shelves: map[string]*shelf{}}
}

// shelfOf names an identity's shelf: an identity is no key.
func shelfOf(identity string) string { return keyOf("", identity)[:32] }

func artifactKey(shelf, id string) string { return shelf + "." + id }

// observe takes over which artifacts there are; the store does not send them.
func (as *artifacts) observe(e store.Entry) {
	name, id, ok := strings.Cut(e.Key, ".")
	if !ok {
		return
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	if e.Deleted {
		as.drop(name, id)
		return
	}
	as.note(name, kept{id, e.Size, e.Created})
}

// note puts an artifact on its shelf. mu is held, here and below.
func (as *artifacts) note(name string, k kept) {
	s := as.shelves[name]
	if s == nil {
		s = &shelf{}
		as.shelves[name] = s
	}
	if as.has(name, k.id) {
		return
	}
	at := len(s.kept)
	for at > 0 && s.kept[at-1].created.After(k.created) {
		at--
	}
	s.kept = slices.Insert(s.kept, at, k)
	s.bytes += k.size
	as.bytes += k.size
}

// drop takes an artifact off its shelf.
func (as *artifacts) drop(name, id string) {
	s := as.shelves[name]
	if s == nil {
		return
	}
	at := slices.IndexFunc(s.kept, func(k kept) bool { return k.id == id })
	if at < 0 {
		return
	}
	s.bytes -= s.kept[at].size
	as.bytes -= s.kept[at].size
	if s.kept = slices.Delete(s.kept, at, at+1); len(s.kept) == 0 {
		delete(as.shelves, name)
	}
}

func (as *artifacts) has(name, id string) bool {
	s := as.shelves[name]
	return s != nil && slices.ContainsFunc(s.kept, func(k kept) bool { return k.id == id })
}

func (as *artifacts) all() (keys []string) {
	as.mu.Lock()
	defer as.mu.Unlock()
	for name, s := range as.shelves {
		for _, k := range s.kept {
			keys = append(keys, artifactKey(name, k.id))
		}
	}
	return keys
}

// known reports whether there is such an artifact, and asks the store where
// another replica may have kept it just now. mu is not held.
func (as *artifacts) known(ctx context.Context, name, id string) (bool, error) {
	as.mu.Lock()
	has := as.has(name, id)
	as.mu.Unlock()
	if has || !as.shared || !artifactID.MatchString(id) {
		return has, nil
	}
	e, err := as.bucket.Get(ctx, artifactKey(name, id))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	as.observe(e)
	return true, nil
}

// put keeps an artifact. The same one again changes nothing.
func (as *artifacts) put(ctx context.Context, who Who, r ArtifactRequest) (Artifact, error) {
	a, value, err := newArtifact(who.Identity, r, as.now())
	if err != nil {
		return Artifact{}, err
	}
	as.writing.Lock()
	defer as.writing.Unlock()
	name := shelfOf(who.Identity)
	if r.Parent != "" {
		if known, err := as.known(ctx, name, r.Parent); err != nil {
			return Artifact{}, err
		} else if !known {
			return Artifact{}, fail(Invalid, "PARENT_NOT_FOUND", "no artifact of yours has the parent's id")
		}
	}
	if known, err := as.known(ctx, name, a.ID); err != nil {
		return Artifact{}, err
	} else if known {
		return as.again(ctx, name, a)
	}
	if err := as.makeRoom(ctx, name, int64(len(value))); err != nil {
		return Artifact{}, err
	}
	if _, err := as.bucket.Create(ctx, artifactKey(name, a.ID), value); errors.Is(err, store.ErrExists) {
		return as.again(ctx, name, a)
	} else if err != nil {
		return Artifact{}, err
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	as.note(name, kept{a.ID, int64(len(value)), a.CreatedAt})
	return a, nil
}

func (as *artifacts) again(ctx context.Context, name string, a Artifact) (Artifact, error) {
	earlier, err := as.read(ctx, artifactKey(name, a.ID))
	if err == nil && !earlier.same(a) {
		err = fail(Conflict, "ARTIFACT_EXISTS", "this content is kept already, with another kind, parent, tags or metadata")
	}
	return earlier, err
}

// makeRoom removes the identity's oldest artifacts, and, when all together are
// too many, the oldest of whoever has the most.
func (as *artifacts) makeRoom(ctx context.Context, name string, size int64) error {
	for {
		from, oldest := as.surplus(name, size)
		if from == "" {
			return nil
		}
		if err := as.bucket.Delete(ctx, artifactKey(from, oldest.id)); err != nil {
			return err
		}
		as.mu.Lock()
		as.drop(from, oldest.id)
		as.mu.Unlock()
		as.log.Info("artifact made room", "artifact_id", oldest.id, "created_at", oldest.created)
	}
}

// surplus names what has to go before that many bytes come; "" when nothing has.
func (as *artifacts) surplus(name string, size int64) (from string, oldest kept) {
	as.mu.Lock()
	defer as.mu.Unlock()
	s := as.shelves[name]
	switch {
	case s != nil && (len(s.kept) >= maxArtifactsEach || s.bytes+size > maxArtifactBytesEach):
		from = name
	case as.bytes+size > maxArtifactBytes && len(as.shelves) > 0:
		from = slices.MaxFunc(slices.Collect(maps.Keys(as.shelves)), func(a, b string) int {
			return cmp.Or(cmp.Compare(as.shelves[a].bytes, as.shelves[b].bytes), cmp.Compare(a, b))
		})
	default:
		return "", kept{}
	}
	return from, as.shelves[from].kept[0]
}

// get gives an artifact that who may see; a foreign one is as if absent.
func (as *artifacts) get(ctx context.Context, who Who, id string) (Artifact, error) {
	name := shelfOf(who.Identity)
	known, unsure := as.known(ctx, name, id)
	if !known {
		other := ""
		if who.Admin {
			other = as.holder(id)
		}
		if name = other; name == "" && unsure != nil {
			return Artifact{}, unsure
		} else if name == "" {
			return Artifact{}, noSuchArtifact()
		}
	}
	a, err := as.read(ctx, artifactKey(name, id))
	if errors.Is(err, store.ErrNotFound) { // it made room meanwhile
		return Artifact{}, noSuchArtifact()
	}
	return a, err
}

// holder gives a shelf that has the artifact; "" when none has.
func (as *artifacts) holder(id string) string {
	as.mu.Lock()
	defer as.mu.Unlock()
	for name := range as.shelves {
		if as.has(name, id) {
			return name
		}
	}
	return ""
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
