package orchestrator

import (
	"context"
	"slices"
	"strings"
	"time"
)

// MaxModelPage is the most models one list gives.
const MaxModelPage = 200

// AddModel enters a model into the catalog.
func (o *Orchestrator) AddModel(ctx context.Context, who Who, r ModelRequest) (Model, error) {
	if err := o.store.CheckSpace(); err != nil {
		return Model{}, o.storeFull(err)
	}
	if err := o.knownFallbacks(ctx, r); err != nil {
		return Model{}, err
	}
	return o.catalog.add(ctx, who, r)
}

// ModelPage is some models of the catalog by id, and where the next page begins.
type ModelPage struct {
	Models     []Model `json:"models" nullable:"false"`
	Count      int     `json:"count" doc:"How many the catalog has in all"`
	NextCursor string  `json:"next_cursor,omitempty"`
}

// Catalog lists the models whose ids come after the cursor.
func (o *Orchestrator) Catalog(limit int, cursor string) ModelPage {
	all := o.catalog.all()
	page := ModelPage{Count: len(all)}
	all = slices.DeleteFunc(all, func(m Model) bool { return m.ID <= cursor })
	if limit = min(max(limit, 1), MaxModelPage); len(all) > limit {
		all, page.NextCursor = all[:limit], all[limit-1].ID
	}
	page.Models = all
	return page
}

// CatalogModel gives a model of the catalog.
func (o *Orchestrator) CatalogModel(id string) (Model, error) {
	ctx, cancel := context.WithTimeout(o.lifecycle.ctx, lookTimeout)
	defer cancel()
	return o.catalog.find(ctx, id)
}

// RemoveModel takes a model out of the catalog; pools keep what they hold.
func (o *Orchestrator) RemoveModel(ctx context.Context, id string) error {
	return o.catalog.removeModel(ctx, id)
}

// VerifyModel begins to read and hash a model.
func (o *Orchestrator) VerifyModel(ctx context.Context, id string) (Model, error) {
	if o.lifecycle.stopping.Load() {
		return Model{}, stopping()
	}
	return o.catalog.verify(ctx, id)
}

// SetModelState retires a model after a while, or brings it back at once.
func (o *Orchestrator) SetModelState(ctx context.Context, id string, state ModelState, in time.Duration) (Model, error) {
	return o.catalog.setState(ctx, id, state, in)
}

// Holder is a pool that has a model.
type Holder struct {
	NodeID string `json:"node_id"`
	PoolID string `json:"pool_id"`
	Ready  bool   `json:"ready" doc:"It would take a task, if it has a slot"`
}

// ModelPlaces is where a model is.
type ModelPlaces struct {
	Model     string     `json:"model"`
	InCatalog bool       `json:"in_catalog"`
	State     ModelState `json:"state,omitempty" doc:"The catalog's"`
	Holders   []Holder   `json:"holders" nullable:"false"`
}

// Availability is which online node and pool holds which model.
type Availability struct {
	Models     []ModelPlaces `json:"models" nullable:"false"`
	Replicated []string      `json:"replicated" nullable:"false" doc:"On two nodes or more"`
	SingleNode []string      `json:"single_node" nullable:"false"`
	Missing    []string      `json:"missing" nullable:"false" doc:"In the catalog, and nowhere else"`
}

// Availability says where the models of the catalog and of the nodes are.
func (o *Orchestrator) Availability() Availability {
	places := map[string]*ModelPlaces{}
	at := func(name string) *ModelPlaces {
		if places[name] == nil {
			places[name] = &ModelPlaces{Model: name, Holders: []Holder{}}
		}
		return places[name]
	}
	for _, m := range o.catalog.all() {
		p := at(m.ID)
		p.InCatalog, p.State = true, m.State
	}
	for _, c := range o.nodes.candidates() {
		if !c.Online {
			continue
		}
		models := slices.Clone(c.Models)
		for i, m := range models {
			models[i] = plainName(m)
		}
		for _, m := range sortedSet(models) {
			p := at(m)
			p.Holders = append(p.Holders, Holder{c.NodeID, c.PoolID, c.Ready && !c.Draining})
		}
	}
	return sortPlaces(places)
}

func sortPlaces(places map[string]*ModelPlaces) Availability {
	a := Availability{Models: []ModelPlaces{}, Replicated: []string{}, SingleNode: []string{}, Missing: []string{}}
	for _, p := range places {
		a.Models = append(a.Models, *p)
	}
	slices.SortFunc(a.Models, func(x, y ModelPlaces) int { return strings.Compare(x.Model, y.Model) })
	for _, p := range a.Models {
		nodes := make([]string, 0, len(p.Holders))
		for _, h := range p.Holders {
			nodes = append(nodes, h.NodeID)
		}
		switch list := sortedSet(nodes); {
		case len(list) > 1:
			a.Replicated = append(a.Replicated, p.Model)
		case len(list) == 1:
			a.SingleNode = append(a.SingleNode, p.Model)
		default:
			a.Missing = append(a.Missing, p.Model)
		}
	}
	return a
}
