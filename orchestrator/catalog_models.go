package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
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
// at a time on a replica, first on disk, by compare-and-set.
type catalog struct {
	bucket  *store.Bucket
	sources modelSources
	log     *slog.Logger
	now     func() time.Time
	work    *sync.WaitGroup
	checked func(result string)

	changing sync.Mutex // held over a write

	mu      sync.Mutex
	models  map[string]catalogued
	ids     map[string]string // by key
	aliases map[string]string // ids by their aliases
	reign   context.Context   // while this replica does the checks; ends them
	checks  map[string]*check // by id: waiting or running
	reading chan struct{}     // a place for each source being read
}

func newCatalog(c Config, work *sync.WaitGroup) *catalog {
	return &catalog{
		bucket: c.Store.Bucket(store.Catalog), sources: modelSources{c.ModelRoot, c.ModelHosts, c.ModelCAs, c.Resolver}, log: c.Log, now: c.Now,
		work: work, models: map[string]catalogued{}, ids: map[string]string{}, aliases: map[string]string{}, checks: map[string]*check{}, reading: make(chan struct{}, maxReading),
	}
}

// observe takes over a model from the store.
func (c *catalog) observe(e store.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Deleted {
		if id := c.ids[e.Key]; c.models[id].revision <= e.Revision {
			c.dropLocked(e.Key, id)
		}
		return
	}
	m := catalogued{revision: e.Revision}
	if err := json.Unmarshal(e.Value, &m.Model); err != nil {
		c.log.Error("a model's record is not readable", "key", e.Key, "error", err)
		return
	}
	c.apply(m)
}

// apply makes a stored model what memory knows, unless that is newer. mu is held.
func (c *catalog) apply(m catalogued) {
	before, known := c.models[m.ID]
	if known && m.revision <= before.revision {
		return
	}
	if known && !before.CreatedAt.Equal(m.CreatedAt) { // another model under an old id
		c.stopCheck(m.ID)
	}
	c.models[m.ID], c.ids[modelKey(m.ID)] = m, m.ID
	c.unname(m.ID)
	for _, alias := range m.Aliases {
		if _, taken := c.aliases[alias]; !taken { // by a model that another replica has entered
			c.aliases[alias] = m.ID
		}
	}
	c.consider(m.Model)
}

func (c *catalog) dropLocked(key, id string) {
	delete(c.models, id)
	c.unname(id)
	delete(c.ids, key)
	c.stopCheck(id)
}

// unname forgets the aliases of a model. mu is held.
func (c *catalog) unname(id string) {
	maps.DeleteFunc(c.aliases, func(_, of string) bool { return of == id })
}

// named reports whether a model's id or one of its aliases is another model's.
func (c *catalog) named(r ModelRequest) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range append([]string{r.ID}, r.Aliases...) {
		_, isID := c.models[name]
		if of, isAlias := c.aliases[name]; isID || isAlias && of != r.ID {
			return true
		}
	}
	return false
}

func (c *catalog) keys() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.ids))
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
	c.changing.Lock()
	defer c.changing.Unlock()
	taken, full := c.room(who, r.ID)
	if taken || c.named(r) {
		return Model{}, modelExists()
	}
	if full {
		return Model{}, fail(Busy, "CATALOG_FULL", "the catalog takes %d models, and is full or your share of it is; DELETE some", MaxModels)
	}
	value, err := m.encode()
	if err != nil {
		return Model{}, err
	}
	revision, err := c.bucket.Create(ctx, modelKey(r.ID), value)
	if errors.Is(err, store.ErrExists) {
		return Model{}, modelExists()
	}
	if err != nil {
		return Model{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apply(catalogued{m, revision})
	return m, nil
}

func (c *catalog) room(who Who, id string) (taken, full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, taken = c.models[id]
	own := int64(0)
	for _, m := range c.models {
		if m.CreatedBy == who.Identity {
			own++
		}
	}
	return taken, !admits(MaxModels, int64(len(c.models)), own, 1)
}

func modelExists() *Error {
	return fail(Conflict, "MODEL_EXISTS", "the catalog has a model of this id or alias; DELETE it first")
}

func (m Model) encode() ([]byte, error) {
	value, err := encodePlain(m)
	if err == nil && len(value) > maxModelRecord {
		err = fail(TooLarge, "MODEL_TOO_LARGE", "the model's record is over %d bytes", maxModelRecord)
	}
	return value, err
}

// change writes a model down in its new form. When another replica was faster, it
// takes that over and tries again.
func (c *catalog) change(ctx context.Context, id string, f func(*Model)) (Model, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	if _, err := c.find(ctx, id); err != nil {
		return Model{}, err
	}
	for {
		c.mu.Lock()
		m, ok := c.models[id]
		c.mu.Unlock()
		if !ok {
			return Model{}, noSuchModel()
		}
		f(&m.Model)
		value, err := m.encode()
		if err != nil {
			return Model{}, err
		}
		m.revision, err = c.bucket.Update(ctx, modelKey(id), value, m.revision)
		if errors.Is(err, store.ErrConflict) {
			if err := c.reread(ctx, id); err != nil {
				return Model{}, err
			}
			continue
		}
		if err != nil {
			return Model{}, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.apply(m)
		return m.Model, nil
	}
}

func (c *catalog) reread(ctx context.Context, id string) error {
	e, err := c.bucket.Get(ctx, modelKey(id))
	if errors.Is(err, store.ErrNotFound) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.dropLocked(modelKey(id), id)
		return nil
	}
	if err == nil {
		c.observe(e)
	}
	return err
}

// remove takes a model out and ends a check of it.
func (c *catalog) remove(ctx context.Context, id string) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	if _, err := c.find(ctx, id); err != nil {
		return err
	}
	if err := c.bucket.Delete(ctx, modelKey(id)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(modelKey(id), id)
	return nil
}

// setState retires a model, after a while if asked, or brings it back.
func (c *catalog) setState(ctx context.Context, id string, state ModelState, in time.Duration) (Model, error) {
	return c.change(ctx, id, func(m *Model) {
		m.State, m.RetiredFrom = state, nil
		if state == ModelRetired {
			from := c.now().UTC().Add(in)
			m.RetiredFrom = &from
		}
	})
}

// find gives a model, or reads it from the store: another replica may have
// entered it just now.
func (c *catalog) find(ctx context.Context, id string) (Model, error) {
	m, ok := c.get(id)
	if !ok && modelID.MatchString(id) {
		e, err := c.bucket.Get(ctx, modelKey(id))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return Model{}, err
		}
		if err == nil {
			c.observe(e)
			m, ok = c.get(id)
		}
	}
	if !ok {
		return Model{}, noSuchModel()
	}
	return m, nil
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
	m, ok := c.get(c.resolve(ref))
	return ok && !m.takesTasks(c.now())
}

// knows reports whether the model is in the catalog.
func (c *catalog) knows(ref string) bool {
	_, ok := c.get(c.resolve(ref))
	return ok
}

func noSuchModel() *Error {
	return fail(NotFound, "MODEL_NOT_FOUND", "the catalog has no model of this id")
}
