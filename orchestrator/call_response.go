package orchestrator

import (
	"cmp"
	"slices"
)

// Engines keep the responses of the responses API, each its own. So a follow-up, and
// whatever asks for a response by its id, goes to the pool that made it: the record of
// the task that did is what is remembered, as long as ended tasks are kept. A response
// that its engine does not keep is not there: some engines would ignore
// previous_response_id, and answer without the conversation.

// responseTask gives the identity's task that made a response; of several with one id
// the first.
func (o *Orchestrator) responseTask(who Who, id string) (Task, error) {
	made := slices.DeleteFunc(o.tasks.visible(Who{Identity: who.Identity}, ""), func(t Task) bool { return t.ResponseID != id })
	if id == "" || len(made) == 0 {
		return Task{}, fail(NotFound, "RESPONSE_NOT_FOUND", "no response of yours has this id, or no engine keeps it")
	}
	first := slices.MinFunc(made, func(a, b Task) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.TaskID, b.TaskID))
	})
	if !o.nodes.holds(first.NodeID, first.PoolID, o.catalog.resolve(first.model())) {
		return Task{}, fail(Conflict, "RESPONSE_POOL_GONE", "the pool that keeps this response is not there now; begin anew without previous_response_id, or try later")
	}
	return first, nil
}

// follow places a task that goes on with a response in the pool that keeps it.
func (o *Orchestrator) follow(who Who, task *TaskRequest) error {
	if task.call.Previous == "" {
		return nil
	}
	if h := task.Placement; h != nil && (len(h.wants()) > 0 || len(h.AvoidPools) > 0 || h.RequireDeviceMask != "") {
		return fail(Invalid, "INVALID_TASK", "a task with previous_response_id runs where that response is kept: leave placement out")
	}
	before, err := o.responseTask(who, task.call.Previous)
	if e, ok := AsError(err); ok && e.Kind == NotFound {
		err = fail(NotFound, e.Code, "%s; send the whole conversation in input", e.Hint)
	}
	if err != nil {
		return ofMember("previous_response_id", err)
	}
	task.Placement = pinned(before)
	return nil
}

// pinned is the placement of what has to run where a task ran.
func pinned(t Task) *PlacementHint {
	return &PlacementHint{Mode: "pin", PinPoolID: poolKey(t.NodeID, t.PoolID)}
}
