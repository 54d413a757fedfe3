package orchestrator

import "slices"

// strict is the determinism of a task whose answer has to be the same each time: the
// same tokens for the same prompt, seed and sampling options, from the same pool.
const strict = "strict"

// Sampling is what the engine of a strict task was told beside the prompt. With the pool,
// the model, max_tokens and the stop sequences of the request it repeats the answer.
type Sampling struct {
	Seed        int64    `json:"seed"`
	Temperature *float64 `json:"temperature,omitempty" doc:"Absent: the engine's default"`
	TopP        *float64 `json:"top_p,omitempty" doc:"Absent: the engine's default"`
}

// checkDeterminism refuses a strict task that leaves to chance what its answer depends on.
func (r *TaskRequest) checkDeterminism() error {
	wrong := ""
	switch p := r.Placement; {
	case r.Determinism != strict:
		return nil
	case r.Workload != Completion:
		wrong = "is for the workload completion: an engine's own request has a seed of its own"
	case r.Seed == nil:
		wrong = "needs a seed"
	case p == nil || p.Mode != "pin":
		wrong = "needs placement with mode pin and pin_pool_id: another pool may answer otherwise"
	case p.fallback():
		wrong = "does not go with allow_fallback: another pool may answer otherwise"
	case r.KVHint == "reuse":
		wrong = "does not go with kv_hint reuse: an answer may depend on what the cache has"
	}
	if wrong != "" {
		return fail(Invalid, "INVALID_TASK", "determinism strict %s", wrong)
	}
	return nil
}

// sampling is what a strict task's record says of its request; nil for other tasks.
func (r *TaskRequest) sampling() *Sampling {
	if r.Determinism != strict {
		return nil
	}
	return &Sampling{Seed: *r.Seed, Temperature: r.Temperature, TopP: r.TopP}
}

// deterministic refuses a strict task whose pool is known not to be deterministic.
func (ns *nodes) deterministic(r TaskRequest) error {
	if r.Determinism != strict {
		return nil
	}
	all := ns.candidates()
	at := slices.IndexFunc(all, func(c Candidate) bool { return meaning(r.Placement.PinPoolID, c, all) })
	if at < 0 || all[at].Deterministic { // one that no node has reported yet is waited for
		return nil
	}
	return fail(Invalid, "DETERMINISM_NOT_SERVED", "pool %s is not declared deterministic; if its engine is, its operator says so in the template: deterministic: true",
		poolKey(all[at].NodeID, all[at].PoolID))
}

// contextServed refuses a task that demands a longer context than any pool with its model,
// or with one of its fallbacks, has.
func (o *Orchestrator) contextServed(n Needs) error {
	if n.Context == 0 {
		return nil
	}
	all, longest := o.nodes.candidates(), int64(0)
	for _, model := range append([]string{n.Model}, o.catalog.fallbacks(n.Model, n.Models)...) {
		n.Model = model
		for _, c := range all {
			if !c.holds(model) {
				continue
			}
			if n.contextFits(c) {
				return nil
			}
			longest = max(longest, c.context(model))
		}
	}
	if longest == 0 { // no pool has it now
		return nil
	}
	return fail(Invalid, "CONTEXT_NOT_SERVED", "ctx is %d tokens; the longest context of a pool that has this model is %d", n.Context, longest)
}

// contextFits reports whether the pool's context for the model is as long as the task
// demands. One whose engine does not tell is not left out.
func (n Needs) contextFits(c Candidate) bool {
	if n.Context == 0 {
		return true
	}
	has := c.context(n.Model)
	return has == 0 || has >= n.Context
}
