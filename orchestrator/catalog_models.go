package orchestrator

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// catalogRef is what nodes put before a catalog id in a model_ref.
const catalogRef = "catalog:"

// catalog is the models that operators know. Its keys on disk are digests of
// the ids, so an id is never a path nor a subject. Changes are rare and made one
// at a time on a replica.
type catalog struct {
	recordCache[Model]
	sources modelSources
	now     func() time.Time
	work    *sync.WaitGroup
	checked func(result string)

	models  map[string]*cached[Model]
	ids     map[string]string // by key
	aliases map[string]string // ids by their aliases
	reign   context.Context   // while this replica does the checks; ends them
	checks  map[string]*check // by id: waiting or running
	reading chan struct{}     // a place for each source being read
}

func newCatalog(c Config, work *sync.WaitGroup) *catalog {
	ms := &catalog{
		sources: modelSources{c.ModelRoot, c.ModelHosts, c.ModelCAs, c.Resolver}, now: c.Now, work: work,
		models: map[string]*cached[Model]{}, ids: map[string]string{}, aliases: map[string]string{},
		checks: map[string]*check{}, reading: make(chan struct{}, maxReading),
	}
	ms.recordCache = newRecordCache("model", c.Store.Bucket(store.Catalog), c.Log, 1, ms)
	return ms
}

func modelKey(id string) string { return keyOf("", id) }

// The catalog is the index of its recordCache: mu is held in what follows.

func (c *catalog) decode(value []byte) (m Model, err error) {
	err = json.Unmarshal(value, &m)
	return m, err
}

func (c *catalog) encode(m Model) ([]byte, error) { return m.encode() }

func (c *catalog) inMemory(Model) bool { return false }

func (c *catalog) lookUp(key string) *cached[Model] { return c.models[c.ids[key]] }

func (c *catalog) put(key string, next cached[Model]) (evicted string) {
	m := next.value
	before := c.models[m.ID]
	if before != nil && next.revision <= before.revision {
		return ""
	}
	if before != nil && !before.value.CreatedAt.Equal(m.CreatedAt) { // another model under an old id
		c.stopCheck(m.ID)
	}
	c.models[m.ID], c.ids[key] = &next, m.ID
	c.unname(m.ID)
	for _, alias := range m.Aliases {
		if _, taken := c.aliases[alias]; !taken { // by a model that another replica has entered
			c.aliases[alias] = m.ID
		}
	}
	c.consider(m)
	return ""
}

func (c *catalog) drop(key string) {
	id := c.ids[key]
	delete(c.models, id)
	c.unname(id)
	delete(c.ids, key)
	c.stopCheck(id)
}

func (c *catalog) vanished(key string) { c.drop(key) }

// unname forgets the aliases of a model.
func (c *catalog) unname(id string) {
	maps.DeleteFunc(c.aliases, func(_, of string) bool { return of == id })
}

// named reports whether a model's id or one of its aliases is another model's.
func (c *catalog) named(r ModelRequest) bool {
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

// add enters a model.
func (c *catalog) add(ctx context.Context, who Who, r ModelRequest) (Model, error) {
	if err := r.check(); err != nil {
		return Model{}, err
	}
	m := Model{
		ModelRequest: r, State: ModelActive, Verification: Verification{Status: Unverified},
		CreatedBy: who.Identity, CreatedAt: c.now().UTC(),
	}
	return c.modify(ctx, modelKey(r.ID), func(next *cached[Model], found bool) (bool, error) {
		if found || next.revision > 0 || c.named(r) {
			return false, modelExists()
		}
		if c.full(who) {
			return false, fail(Busy, "CATALOG_FULL", "the catalog takes %d models, and is full or your share of it is; DELETE some", MaxModels)
		}
		next.value = m
		return true, nil
	})
}

// full reports whether the caller may enter no more models.
func (c *catalog) full(who Who) bool {
	own := int64(0)
	for _, m := range c.models {
		if m.value.CreatedBy == who.Identity {
			own++
		}
	}
	return !admits(MaxModels, int64(len(c.models)), own, 1)
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

// change writes a model down in its new form.
func (c *catalog) change(ctx context.Context, id string, f func(*Model)) (Model, error) {
	if _, err := c.find(ctx, id); err != nil {
		return Model{}, err
	}
	return c.modify(ctx, modelKey(id), func(next *cached[Model], found bool) (bool, error) {
		if !found {
			return false, noSuchModel()
		}
		f(&next.value)
		return true, nil
	})
}

// removeModel takes a model out and ends a check of it.
func (c *catalog) removeModel(ctx context.Context, id string) error {
	if _, err := c.find(ctx, id); err != nil {
		return err
	}
	return c.remove(ctx, modelKey(id))
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
	if modelID.MatchString(id) {
		if err := c.fetch(ctx, modelKey(id)); err != nil {
			return Model{}, err
		}
	}
	m, ok := c.get(id)
	if !ok {
		return Model{}, noSuchModel()
	}
	return m, nil
}

func (c *catalog) get(id string) (Model, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.models[id]; m != nil {
		return m.value, true
	}
	return Model{}, false
}

// all gives the models by id.
func (c *catalog) all() []Model {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Model, 0, len(c.models))
	for _, m := range c.models {
		out = append(out, m.value)
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
