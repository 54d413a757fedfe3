package orchestrator

import (
	"cmp"
	"slices"
)

// A fallback is for a model that cannot run, not for one that is busy. A model can run
// while a ready pool holds it that fits the task; whether that pool has a slot free does
// not matter. So a task waits in the queue for the first model in the order of its entry
// that can run, and goes on to the next one only when no pool is ready, or when it has
// used up its attempts with the model. Nothing of an answer has been shown then: after
// the first byte a task is not dispatched again. What an engine answers is an answer,
// also when it is an error.

// runnable gives the needs of a task for the model that it runs on, as pools call it, and
// that model's name where it is a fallback.
func (o *Orchestrator) runnable(n Needs) (as Needs, fallback string) {
	n.Model = o.catalog.resolve(n.Model)
	if n.Strict { // another model answers otherwise
		return n, ""
	}
	others := o.catalog.fallbacks(n.Model, n.Models)
	if len(others) == 0 {
		return n, ""
	}
	all := o.nodes.candidates()
	if !slices.Contains(n.Spent, n.Model) && (canRun(n, all) || o.mayReturn(n.Model, all)) {
		return n, ""
	}
	for _, model := range others {
		as := n
		as.Model = model
		if !slices.Contains(n.Spent, model) && canRun(as, all) {
			return as, model
		}
	}
	return n, ""
}

// canRun reports whether a pool could run the task now or when one of its slots is free.
func canRun(n Needs, all []Candidate) bool {
	return slices.ContainsFunc(n.Hint.only(all), func(c Candidate) bool {
		reason := infeasible(n, c)
		return reason == "" || reason == "no_slot"
	})
}

// mayReturn reports whether the orchestrator has started a moment ago, and the node with
// the model may register again.
func (o *Orchestrator) mayReturn(model string, all []Candidate) bool {
	return o.nodes.returning() > 0 && !slices.ContainsFunc(all, func(c Candidate) bool { return c.holds(model) && !c.Returning })
}

// fallbackServes reports whether a fallback has a pool that takes such tasks.
func (o *Orchestrator) fallbackServes(n Needs) bool {
	return slices.ContainsFunc(o.catalog.fallbacks(n.Model, n.Models), func(model string) bool {
		n.Model = model
		_, served := o.nodes.offered(n)
		return served
	})
}

// model is what the dispatch runs, as pools are searched for it.
func (a *attempt) model() string {
	return cmp.Or(a.fallback, a.o.catalog.resolve(a.w.needs.Model))
}

// fallBack gives up the model whose attempts are used up, and reports whether a fallback
// can run the task.
func (a *attempt) fallBack() bool {
	n, model := &a.w.needs, a.model()
	if slices.Contains(n.Spent, model) {
		return false
	}
	n.Spent = append(slices.Clip(n.Spent), model)
	if _, fallback := a.o.runnable(*n); fallback == "" {
		return false
	}
	a.w.spent, a.w.key = a.w.failures, n.key()
	return true
}
