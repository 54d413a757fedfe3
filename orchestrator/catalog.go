package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// catalogRef is what nodes put before a catalog id in a model_ref.
const catalogRef = "catalog:"

// catalogued is a model and the revision that its next change must name.
type catalogued struct {
	Model
	revision uint64
}

// catalog is the models that operators know. Its keys on disk are digests of
// the ids, so an id is never a path nor a subject. Changes are rare and made one
// at a time, first on disk.
type catalog struct {
	bucket  *store.Bucket
	sources modelSources
	log     *slog.Logger
	now     func() time.Time
	ctx     context.Context // ends the checks
	work    *sync.WaitGroup
	checked func(result string)

	mu      sync.Mutex
	models  map[string]catalogued
	checks  map[string]*check // by id: waiting or running
	reading chan struct{}     // a place for each source being read
}

// load reads the catalog and takes up the checks that a stop interrupted.
func (c *catalog) load(ctx context.Context) error {
	err := c.bucket.Each(ctx, func(e store.Entry) error {
		m := catalogued{revision: e.Revision}
		if err := json.Unmarshal(e.Value, &m.Model); err != nil {
			return fmt.Errorf("decoding model %s: %w", e.Key, err)
		}
		c.models[m.ID] = m
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading catalog: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.models {
		if m.Verification.Status == Verifying {
			c.begin(m.Model)
		}
	}
	return nil
}

func modelKey(id string) string { return keyOf("", id) }

// add enters a model.
func (c *catalog) add(ctx context.Context, who Who, r ModelRequest) (Model, error) {
	if err := r.check(); err != nil {
		return Model{}, err
	}
	m := Model{
		ModelRequest: r, State: ModelActive, Verification: Verification{Status: Unverified},
		CreatedBy: who.Identity, CreatedAt: c.now().UTC(),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.models[r.ID]; taken {
		return Model{}, fail(Conflict, "MODEL_EXISTS", "the catalog has a model of this id; DELETE it first")
	}
	if len(c.models) >= MaxModels {
		return Model{}, fail(Busy, "CATALOG_FULL", "the catalog has %d models; DELETE some", MaxModels)
	}
	value, err := m.encode()
	if err != nil {
		return Model{}, err
	}
	revision, err := c.bucket.Create(ctx, modelKey(r.ID), value)
	if err != nil {
		return Model{}, err
	}
	c.models[m.ID] = catalogued{m, revision}
	return m, nil
}

func (m Model) encode() ([]byte, error) {
	value, err := encodePlain(m)
	if err == nil && len(value) > maxModelRecord {
		err = fail(TooLarge, "MODEL_TOO_LARGE", "the model's record is over %d bytes", maxModelRecord)
	}
	return value, err
}

// change writes a model down in its new form. mu is held.
func (c *catalog) change(ctx context.Context, id string, f func(*Model)) (Model, error) {
	m, ok := c.models[id]
	if !ok {
		return Model{}, noSuchModel()
	}
	f(&m.Model)
	value, err := m.encode()
	if err != nil {
		return Model{}, err
	}
	if m.revision, err = c.bucket.Update(ctx, modelKey(id), value, m.revision); err != nil {
		return Model{}, err
	}
	c.models[id] = m
	return m.Model, nil
}

// remove takes a model out and ends a check of it.
func (c *catalog) remove(ctx context.Context, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.models[id]; !ok {
		return noSuchModel()
	}
	if err := c.bucket.Delete(ctx, modelKey(id)); err != nil {
		return err
	}
	delete(c.models, id)
	if job := c.checks[id]; job != nil {
		job.cancel()
		delete(c.checks, id)
	}
	return nil
}

// setState retires a model, after a while if asked, or brings it back.
func (c *catalog) setState(ctx context.Context, id string, state ModelState, in time.Duration) (Model, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.change(ctx, id, func(m *Model) {
		m.State, m.RetiredFrom = state, nil
		if state == ModelRetired {
			from := c.now().UTC().Add(in)
			m.RetiredFrom = &from
		}
	})
}

func (c *catalog) get(id string) (Model, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.models[id]
	return m.Model, ok
}

// all gives the models by id.
func (c *catalog) all() []Model {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Model, 0, len(c.models))
	for _, m := range c.models {
		out = append(out, m.Model)
	}
	slices.SortFunc(out, func(a, b Model) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// retired reports whether the catalog forbids new tasks for the model.
func (c *catalog) retired(ref string) bool {
	m, ok := c.get(strings.TrimPrefix(ref, catalogRef))
	return ok && !m.takesTasks(c.now())
}

// knows reports whether the model is in the catalog.
func (c *catalog) knows(ref string) bool {
	_, ok := c.get(strings.TrimPrefix(ref, catalogRef))
	return ok
}

func noSuchModel() *Error {
	return fail(NotFound, "MODEL_NOT_FOUND", "the catalog has no model of this id")
}
