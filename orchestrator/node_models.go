package orchestrator

import (
	"slices"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// ModelStatus is a model that nodes have reported, and whether it is served.
type ModelStatus struct {
	Name    string
	Ready   bool   // a pool serves it, though all of its slots may be in use
	Reason  string // why none does
	Context int64  // tokens that every pool with it can have in its context; 0: not known
}

// Models lists the models that nodes have reported, as tasks call them, and their
// aliases, without the retired ones. Those of Ollama have their tags.
func (o *Orchestrator) Models() []string {
	return o.listed(func(Candidate) bool { return true }, func(c Candidate) bool { return c.Engine == ollama })
}

// OllamaModels lists the models of the pools that speak Ollama's protocol, as its clients
// call them, or of those only that have one loaded.
func (o *Orchestrator) OllamaModels(loaded bool) []string {
	return o.listed(func(c Candidate) bool {
		return slices.Contains(c.Protocols, nodeapi.Ollama) && (!loaded || c.Online && c.Ready && !c.Loadable)
	}, Candidate.tags)
}

// listed gives the models of some pools, and their aliases, with tags at those that have
// tags.
func (o *Orchestrator) listed(of, tags func(Candidate) bool) []string {
	aliases := map[string][]string{}
	for _, m := range o.catalog.all() {
		aliases[m.ID] = m.Aliases
	}
	models := []string{}
	for _, c := range o.nodes.candidates() {
		if !of(c) {
			continue
		}
		for _, own := range c.Models {
			for _, name := range append([]string{plainName(own)}, aliases[o.catalog.resolve(own)]...) {
				switch {
				case name == "" || o.catalog.retired(name):
				case tags(c):
					models = append(models, tagged(name))
				default:
					models = append(models, name)
				}
			}
		}
	}
	return sortedSet(models)
}

// ModelStatuses lists the models that nodes have reported, without the retired ones.
func (o *Orchestrator) ModelStatuses() []ModelStatus {
	all, candidates := []ModelStatus{}, o.nodes.candidates()
	for _, name := range o.Models() {
		all = append(all, o.modelStatus(name, candidates))
	}
	return all
}

// ModelStatus gives a model that a node has reported, under any of its names.
func (o *Orchestrator) ModelStatus(name string) (ModelStatus, bool) {
	model, candidates := o.catalog.resolve(name), o.nodes.candidates()
	if name == "" || o.catalog.retired(name) || !slices.ContainsFunc(candidates, func(c Candidate) bool { return c.holds(model) }) {
		return ModelStatus{}, false
	}
	return o.modelStatus(name, candidates), true
}

func (o *Orchestrator) modelStatus(name string, candidates []Candidate) ModelStatus {
	m, model := ModelStatus{Name: name}, o.catalog.resolve(name)
	for _, c := range candidates {
		own, holds := c.ownName(model)
		if !holds {
			continue
		}
		m.Ready = m.Ready || c.Online && c.Ready && !c.Draining && !c.Tripped
		if n := c.Contexts[own]; n > 0 && (m.Context == 0 || n < m.Context) {
			m.Context = n
		}
	}
	if !m.Ready {
		m.Reason = o.whyNot(Needs{Model: name})
	}
	return m
}
