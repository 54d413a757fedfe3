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
	"github.com/llorch/gateway/poolmanager/modelref"
)

// catalog is the models that operators know. Its keys on disk are digests of
// the ids, so an id is never a path nor a subject. Changes are rare and made one
// at a time on a replica.
type catalog struct {
	recordCache[Model]
	sources modelSources
	now     func() time.Time
	work    *sync.WaitGroup
	checked func(result string)

	models    map[string]*cached[Model]
	ids       map[string]string // by key
	aliases   map[string]string // ids by their aliases
	leaderCtx context.Context   // while this replica does the checks; ends them
	checks    map[string]*check // by id: waiting or running
	reading   chan struct{}     // a place for each source being read
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

// The catalog is the index of its recordCache: mu is held below.

func (c *catalog) decode(value []byte) (m Model, err error) {
	err = json.Unmarshal(value, &m)
	return m, err
}

func (c *catalog) encode(m Model) ([]byte, error) { return encodeModel(m) }

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

func (c *catalog) keys() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.ids))
}

// find gives a model, or reads it from the store: another replica may have
// entered it just now.
func (c *catalog) find(ctx context.Context, id string) (Model, error) {
	if modelref.ValidID(id) {
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
	return ok && !m.TakesTasks(c.now())
}

// knows reports whether the model is in the catalog.
func (c *catalog) knows(ref string) bool {
	_, ok := c.get(c.resolve(ref))
	return ok
}

func noSuchModel() *Error {
	return fail(NotFound, "MODEL_NOT_FOUND", "the catalog has no model of this id")
}
