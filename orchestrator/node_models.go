package orchestrator

import (
	"slices"

	"github.com/llorch/gateway/authmin"
)

// ModelStatus is a model that nodes have reported, and whether it is served.
type ModelStatus struct {
	Name    string
	Ready   bool   // a pool serves it, though all of its slots may be in use
	Reason  string // why none does
	Context int64  // tokens that every pool with it can have in its context; 0 if no pool tells
}

// Models lists the models that nodes have reported, as tasks call them, and their
// aliases, without the retired ones and those that a list does not allow; nil allows every
// one. Those of Ollama have their tags.
func (o *Orchestrator) Models(allowed *authmin.Models) []string {
	aliases := o.catalog.aliasesByID()
	models := []string{}
	for _, c := range o.nodes.candidates() {
		for _, own := range c.Models {
			for _, name := range o.catalog.namesFor(own, aliases[o.catalog.resolve(own)], allowed) {
				if c.Engine == ollama {
					name = tagged(name)
				}
				models = append(models, name)
			}
		}
	}
	return sortedSet(models)
}

// ModelStatuses lists the models that nodes have reported and a list allows, without the
// retired ones.
func (o *Orchestrator) ModelStatuses(allowed *authmin.Models) []ModelStatus {
	all, candidates := []ModelStatus{}, o.nodes.candidates()
	for _, name := range o.Models(allowed) {
		all = append(all, o.modelStatus(name, candidates))
	}
	return all
}

// ModelStatus gives a model that a node has reported, under any of its names. One that the
// list does not allow is not there.
func (o *Orchestrator) ModelStatus(allowed *authmin.Models, name string) (ModelStatus, bool) {
	if !o.catalog.allows(allowed, name) {
		return ModelStatus{}, false
	}
	model, candidates := o.catalog.resolve(name), o.nodes.candidates()
	if name == "" || o.catalog.retired(name) || !slices.ContainsFunc(candidates, func(c Candidate) bool { return c.holds(model) }) {
		return ModelStatus{}, false
	}
	return o.modelStatus(name, candidates), true
}

func (o *Orchestrator) modelStatus(name string, candidates []Candidate) ModelStatus {
	m, model := ModelStatus{Name: name}, o.catalog.resolve(name)
	for _, c := range candidates {
		if !c.holds(model) {
			continue
		}
		m.Ready = m.Ready || c.Online && c.Ready && !c.Draining && !c.Tripped
		if n := c.context(model); n > 0 && (m.Context == 0 || n < m.Context) {
			m.Context = n
		}
	}
	if !m.Ready {
		m.Reason = o.whyNot(Needs{Model: name})
	}
	return m
}
