package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
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
// memory knows which there are, and how large. A replica writes one at a time for
// each identity.
type artifacts struct {
	bucket *store.Bucket
	log    *slog.Logger
	now    func() time.Time
	shared bool
	limit  int64 // of all bytes

	writing [artifactWriters]chan struct{} // by shelf; capacity 1: held over a write

	mu       mutex[lockArtifacts]
	shelves  map[string]*shelf // by shelfOf an identity
	bytes    int64             // of all shelves
	reserved int64             // of what is being written
	doubts   map[*doubt]bool   // what was perhaps written
}

func newArtifacts(b *store.Bucket, log *slog.Logger, now func() time.Time) *artifacts {
	as := &artifacts{bucket: b, log: log, now: now, limit: maxArtifactBytes, shelves: map[string]*shelf{}, doubts: map[*doubt]bool{}}
	for i := range as.writing {
		as.writing[i] = make(chan struct{}, 1)
	}
	return as
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
	name := shelfOf(who.Identity)
	done, err := as.turn(ctx, name)
	if err != nil {
		return Artifact{}, err
	}
	defer done()
	if err := as.settle(ctx); err != nil {
		return Artifact{}, err
	}
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
		earlier, err := as.again(ctx, name, a)
		if !errors.Is(err, store.ErrNotFound) {
			return earlier, err
		}
		as.observe(store.Entry{Key: artifactKey(name, a.ID), Deleted: true}) // it made room meanwhile
	}
	return as.create(ctx, name, a, value)
}

// create writes an artifact that is not there.
func (as *artifacts) create(ctx context.Context, name string, a Artifact, value []byte) (Artifact, error) {
	size := int64(len(value))
	if err := as.makeRoom(ctx, name, size); err != nil {
		return Artifact{}, err
	}
	_, err := as.bucket.Create(ctx, artifactKey(name, a.ID), value)
	as.mu.Lock()
	switch {
	case err == nil:
		as.reserved -= size
		as.note(name, kept{a.ID, size, a.CreatedAt})
	case errors.Is(err, store.ErrExists):
		as.reserved -= size
	default:
		as.doubts[&doubt{artifactKey(name, a.ID), size}] = true
	}
	as.mu.Unlock()
	if errors.Is(err, store.ErrExists) {
		return as.again(ctx, name, a)
	}
	return a, err
}

// again gives the artifact that is there already.
func (as *artifacts) again(ctx context.Context, name string, a Artifact) (Artifact, error) {
	e, earlier, err := as.read(ctx, artifactKey(name, a.ID))
	if err != nil {
		return Artifact{}, err
	}
	as.observe(e)
	if !earlier.same(a) {
		return Artifact{}, fail(Conflict, "ARTIFACT_EXISTS", "this content is kept already, with another kind, parent, tags or metadata")
	}
	return earlier, nil
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
	_, a, err := as.read(ctx, artifactKey(name, id))
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

func (as *artifacts) read(ctx context.Context, key string) (store.Entry, Artifact, error) {
	e, err := as.bucket.Get(ctx, key)
	if err != nil {
		return e, Artifact{}, err
	}
	var a Artifact
	if err := json.Unmarshal(e.Value, &a); err != nil {
		return e, Artifact{}, fmt.Errorf("decoding artifact %s: %w", key, err)
	}
	return e, a, nil
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
