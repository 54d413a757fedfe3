package page

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// Bounds of one event of the fleet.
const (
	maxTasks  = 50
	maxQueued = 200 // counted; more are shown as 200+
	maxNodes  = 100
	maxPools  = 16  // of a node
	maxText   = 200 // bytes of a name
)

// fleet is what the orchestrator says, in the reader's name. Its types have no field for a
// prompt, an answer, or a text of an engine.
type fleet struct {
	Problem      string `json:"problem,omitempty"`       // why there is nothing
	NodesProblem string `json:"nodes_problem,omitempty"` // why there are no nodes
	Nodes        []node `json:"nodes"`                   // nil for a reader without scope admin
	NodesTotal   int    `json:"nodes_total"`
	Queued       int    `json:"queued"`
	QueuedMore   bool   `json:"queued_more"`
	Capacity     int    `json:"capacity"`
	Tasks        []task `json:"tasks"`
}

type node struct {
	ID            string    `json:"node_id"`
	Owner         string    `json:"owner"`
	State         string    `json:"state"`
	Version       string    `json:"version"`
	LastHeartbeat time.Time `json:"last_heartbeat"`
	Pools         []pool    `json:"pools"`
}

type pool struct {
	ID         string `json:"pool_id"`
	Engine     string `json:"engine"`
	Model      string `json:"model_ref"`
	Ready      bool   `json:"ready"`
	Draining   bool   `json:"draining"`
	State      string `json:"state,omitempty"`
	Restarts   int    `json:"restarts,omitempty"`
	SlotsFree  int    `json:"slots_free"`
	SlotsTotal int    `json:"slots_total"`
	VRAMFree   int64  `json:"vram_free_bytes"`
}

type task struct {
	ID        string     `json:"task_id"`
	Owner     string     `json:"owner"`
	State     string     `json:"state"`
	Workload  string     `json:"workload"`
	Model     string     `json:"model_ref"`
	ModelUsed string     `json:"model_used,omitempty"`
	Priority  string     `json:"priority"`
	Node      string     `json:"node_id,omitempty"`
	Pool      string     `json:"pool_id,omitempty"`
	Attempt   int        `json:"attempt"`
	Created   time.Time  `json:"created_at"`
	Started   *time.Time `json:"started_at,omitempty"`
	Ended     *time.Time `json:"ended_at,omitempty"`
	TokensIn  int        `json:"tokens_in"`
	TokensOut int        `json:"tokens_out"`
	Waiting   string     `json:"waiting,omitempty"`
	Error     *taskError `json:"error,omitempty"`
}

// taskError is why a task failed. Its message, which an engine may have written, is left
// out.
type taskError struct {
	Code string `json:"code"`
}

// watchFleet asks the orchestrator until ctx ends, and closes the channel then. Without an
// orchestrator it says nothing.
func (p *Page) watchFleet(ctx context.Context, identity http.Header, caller caddymodule.Caller) <-chan fleet {
	fleets := make(chan fleet)
	if p.upstream == nil {
		close(fleets)
		return fleets
	}
	go func() {
		defer close(fleets)
		for {
			select {
			case fleets <- p.upstream.fleet(ctx, identity, caller.IsAdmin()):
			case <-ctx.Done():
				return
			}
			pause := time.NewTimer(p.paces.fleet)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
				return
			}
		}
	}()
	return fleets
}

// fleet asks for tasks, the queue and, for scope admin, nodes: the orchestrator refuses nodes
// to other scopes.
func (u *upstream) fleet(ctx context.Context, identity http.Header, admin bool) fleet {
	var f fleet
	var nodes struct{ Nodes []node }
	var tasks, queued struct {
		Tasks      []task
		NextCursor string `json:"next_cursor"`
	}
	var capabilities struct{ Queue struct{ Capacity int } }
	err := u.read(ctx, identity, "/v2/tasks?limit="+strconv.Itoa(maxTasks), &tasks)
	if err == nil {
		err = u.read(ctx, identity, "/v2/tasks?state=queued&limit="+strconv.Itoa(maxQueued), &queued)
	}
	if err == nil {
		err = u.read(ctx, identity, "/v2/meta/capabilities", &capabilities)
	}
	if err != nil {
		return fleet{Problem: problemOf(err)}
	}
	if admin {
		if err := u.read(ctx, identity, "/v2/nodes", &nodes); err != nil { // the tasks are shown all the same
			f.NodesProblem = problemOf(err)
		}
	}
	f.Tasks = tasks.Tasks[:min(len(tasks.Tasks), maxTasks)]
	f.Queued, f.QueuedMore, f.Capacity = len(queued.Tasks), queued.NextCursor != "", capabilities.Queue.Capacity
	f.NodesTotal, f.Nodes = len(nodes.Nodes), nodes.Nodes[:min(len(nodes.Nodes), maxNodes)]
	f.bound()
	return f
}

// problemOf is what a reader is told of an error; the address is the operator's to know.
func problemOf(err error) string {
	if status, ok := errors.AsType[statusError](err); ok {
		if status == http.StatusForbidden {
			return "the orchestrator shows nothing to this token"
		}
		return status.Error()
	}
	if errors.Is(err, errTooLong) {
		return err.Error()
	}
	return "the orchestrator does not answer"
}

// bound cuts every text of a node, a pool or a task: a hostile node may send long ones.
func (f *fleet) bound() {
	for i := range f.Nodes {
		n := &f.Nodes[i]
		cut(&n.ID, &n.Owner, &n.State, &n.Version)
		n.Pools = n.Pools[:min(len(n.Pools), maxPools)]
		for j := range n.Pools {
			pool := &n.Pools[j]
			cut(&pool.ID, &pool.Engine, &pool.Model, &pool.State)
		}
	}
	for i := range f.Tasks {
		t := &f.Tasks[i]
		cut(&t.ID, &t.Owner, &t.State, &t.Workload, &t.Model, &t.ModelUsed, &t.Priority, &t.Node, &t.Pool, &t.Waiting)
		if t.Error != nil {
			cut(&t.Error.Code)
		}
	}
}

func cut(texts ...*string) {
	for _, text := range texts {
		*text = authmin.CleanText(*text, maxText)
	}
}
