package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/llorch/gateway/orchestrator/store"
)

// known reports whether an artifact exists, and reads the store where another replica
// may have written it just now. mu is not held.
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
	done, err := as.lockShelf(ctx, name)
	if err != nil {
		return Artifact{}, err
	}
	defer done()
	if err := as.resolveUncertain(ctx); err != nil {
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
		as.observe(store.Entry{Key: artifactKey(name, a.ID), Deleted: true}) // it was evicted meanwhile
	}
	return as.create(ctx, name, a, value)
}

// create writes an artifact that is not there.
func (as *artifacts) create(ctx context.Context, name string, a Artifact, value []byte) (Artifact, error) {
	size := int64(len(value))
	if err := as.evict(ctx, name, size); err != nil {
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
		as.uncertain[&uncertainWrite{artifactKey(name, a.ID), size}] = true
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

// get gives an artifact that the caller may see; another identity's is not found.
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
	if errors.Is(err, store.ErrNotFound) { // it was evicted meanwhile
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
	if err := o.store.CheckSpace(); err != nil {
		return Artifact{}, o.storeFull(err)
	}
	return o.artifacts.put(ctx, who, r)
}

// Artifact gives an artifact of the caller's.
func (o *Orchestrator) Artifact(ctx context.Context, who Who, id string) (Artifact, error) {
	return o.artifacts.get(ctx, who, id)
}
