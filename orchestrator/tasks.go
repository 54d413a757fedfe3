package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/llorch/gateway/poolmanager/client"
)

// MaxPage is the most tasks one list gives.
const MaxPage = 200

// find gives the task if who may see it; a foreign one is as if absent.
func (o *Orchestrator) find(who Who, id string) *entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.tasks[id]
	if e == nil || !who.may(e.owner) {
		return nil
	}
	return e
}

// Task gives a task's record.
func (o *Orchestrator) Task(who Who, id string) (Task, error) {
	e := o.find(who, id)
	if e == nil {
		return Task{}, noSuchTask()
	}
	task, _ := e.view()
	return task, nil
}

// Page is some tasks, newest first, and where the next page begins.
type Page struct {
	Tasks      []Task `json:"tasks" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// Tasks lists who's tasks, newest first. The cursor is the id of the last task
// of the page before.
func (o *Orchestrator) Tasks(who Who, state State, limit int, cursor string) (Page, error) {
	all := o.visible(who, state)
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
	return page, nil
}

func (o *Orchestrator) visible(who Who, state State) []Task {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := []Task{}
	for _, e := range o.tasks {
		if !who.may(e.owner) {
			continue
		}
		if task, _ := e.view(); state == "" || task.State == state {
			all = append(all, task)
		}
	}
	return all
}

// errCanceled is why a canceled task's dispatch ends.
var errCanceled = errors.New("canceled by its owner")

// Cancel ends a task that waits or runs; one that has ended stays as it is.
func (o *Orchestrator) Cancel(_ context.Context, who Who, id string) error {
	e := o.find(who, id)
	if e == nil {
		return noSuchTask()
	}
	err := o.end(e, func(t *Task) { t.State = Canceled })
	if errors.Is(err, errEnded) {
		return nil
	}
	if err != nil {
		return err
	}
	o.queue.remove(id)
	o.metrics.canceled.Inc()
	e.mu.Lock()
	stop := e.stop
	e.mu.Unlock()
	if stop != nil {
		stop(errCanceled) // hangs up on the pool manager, which frees the slot
	}
	return nil
}

// RegisterNode takes a node in, or takes over what a known one says now.
func (o *Orchestrator) RegisterNode(ctx context.Context, who Who, r client.RegisterRequest) (client.RegisterResponse, error) {
	err := o.nodes.register(ctx, who, r)
	o.metrics.registrations.WithLabelValues(outcome(err)).Inc()
	return client.RegisterResponse{NodeID: r.NodeID, NextHeartbeatMS: HeartbeatInterval.Milliseconds()}, err
}

// Heartbeat takes over what a node says of its pools.
func (o *Orchestrator) Heartbeat(who Who, id string, h client.HeartbeatRequest) (client.HeartbeatResponse, error) {
	err := o.nodes.heartbeat(who, id, h)
	o.metrics.heartbeats.WithLabelValues(outcome(err)).Inc()
	return client.HeartbeatResponse{NextHeartbeatMS: HeartbeatInterval.Milliseconds()}, err
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
