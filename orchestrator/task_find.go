package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// MaxPage is the most tasks one list gives.
	MaxPage = 200
	// lookTimeout bounds asking the store for one record that memory has not.
	lookTimeout = 3 * time.Second
)

// find gives a task that the caller may see: from memory, or, where other replicas
// admit tasks too, from the store, as a client may ask here before the watch has
// delivered the record. Another identity's task is not found. While the store is
// unavailable that is the error: a task that only the store has is not lost.
func (o *Orchestrator) find(who Who, id string) (*taskEntry, error) {
	e, err := o.load(spelled(id))
	if errors.Is(err, store.ErrUnavailable) {
		return nil, err
	}
	if e == nil || !who.may(e.owner) {
		return nil, noSuchTask()
	}
	return e, nil
}

// load gives a stored task from memory or from the store; nil when there is none.
func (o *Orchestrator) load(id string) (*taskEntry, error) {
	e := o.tasks.get(id)
	if e != nil && !e.stored() {
		e = nil
	}
	if e != nil || !o.store.Shared() || uuid.Validate(id) != nil || len(id) != 36 {
		return e, nil
	}
	ctx, cancel := context.WithTimeout(o.lifecycle.ctx, lookTimeout)
	defer cancel()
	stored, err := o.store.Bucket(store.Tasks).Get(ctx, id)
	if err != nil {
		return nil, err
	}
	o.observe(stored)
	return o.tasks.get(id), nil
}

// spelled gives the one spelling that ids are stored in, also for a caller who
// writes a UUID as it was sent: in capitals, or without dashes.
func spelled(id string) string {
	if parsed, err := uuid.Parse(id); err == nil {
		return parsed.String()
	}
	return id
}

// Task gives a task's record.
func (o *Orchestrator) Task(who Who, id string) (Task, error) {
	e, err := o.find(who, id)
	if err != nil {
		return Task{}, err
	}
	return o.explained(e, map[string]string{}), nil
}

// explained is the task's record with why it waits, if it does. known has the reasons
// that were found already, by needs.
func (o *Orchestrator) explained(e *taskEntry, known map[string]string) Task {
	e.mu.Lock()
	task, waits, runs := e.task, e.waits, e.run != nil
	e.mu.Unlock()
	if task.State != Queued || runs {
		return task
	}
	why, ok := known[waits.key]
	if !ok {
		why = o.whyWaiting(waits.needs)
		known[waits.key] = why
	}
	task.Waiting = why
	return task
}

// Page is some tasks, newest first, and where the next page begins.
type Page struct {
	Tasks      []Task `json:"tasks" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// Tasks lists who's tasks, newest first. The cursor is the id of the last task
// of the page before.
func (o *Orchestrator) Tasks(who Who, state State, limit int, cursor string) (Page, error) {
	all := o.tasks.visible(who, state)
	slices.SortFunc(all, func(a, b Task) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.TaskID, a.TaskID))
	})
	if cursor != "" {
		at := slices.IndexFunc(all, func(t Task) bool { return t.TaskID == cursor })
		if at < 0 {
			return Page{}, fail(Invalid, "INVALID_CURSOR", "the cursor is no longer known; begin again without one")
		}
		all = all[at+1:]
	}
	limit = min(max(limit, 1), MaxPage)
	page := Page{Tasks: all}
	if len(all) > limit {
		page = Page{Tasks: all[:limit], NextCursor: all[limit-1].TaskID}
	}
	reasons := map[string]string{}
	for i, t := range page.Tasks {
		if e := o.tasks.get(t.TaskID); e != nil && t.State == Queued {
			page.Tasks[i].Waiting = o.explained(e, reasons).Waiting
		}
	}
	return page, nil
}

// RegisterNode takes a node in, or takes over what a known one says now.
func (o *Orchestrator) RegisterNode(ctx context.Context, who Who, r nodeapi.RegisterRequest) (nodeapi.RegisterResponse, error) {
	err := o.nodes.register(ctx, who, r)
	o.metrics.registrations.WithLabelValues(outcome(err)).Inc()
	return nodeapi.RegisterResponse{NodeID: r.NodeID, NextHeartbeatMS: HeartbeatInterval.Milliseconds()}, err
}

// Heartbeat takes over what a node says of its pools.
func (o *Orchestrator) Heartbeat(who Who, id string, h nodeapi.HeartbeatRequest) (nodeapi.HeartbeatResponse, error) {
	ctx, cancel := context.WithTimeout(o.lifecycle.ctx, lookTimeout)
	defer cancel()
	err := o.nodes.heartbeat(ctx, who, id, h)
	o.metrics.heartbeats.WithLabelValues(outcome(err)).Inc()
	return nodeapi.HeartbeatResponse{NextHeartbeatMS: HeartbeatInterval.Milliseconds()}, err
}

// RemoveNode takes a node out; an administrator's call also frees its id.
func (o *Orchestrator) RemoveNode(ctx context.Context, who Who, id string) error {
	err := o.nodes.remove(ctx, who, id)
	if err == nil {
		o.metrics.deregistrations.Inc()
	}
	return err
}

// Nodes lists the nodes by id.
func (o *Orchestrator) Nodes() []Node { return o.nodes.list() }

// QueueDepth is the number of tasks that wait in a class.
func (o *Orchestrator) QueueDepth(class Priority) int { return o.queue.depth(class) }
