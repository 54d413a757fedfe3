package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/client"
)

// controlTimeout bounds one command on one node. A reload answers when the new
// model serves or the old one serves again, and a large one loads for minutes.
const controlTimeout = 15 * time.Minute

// PoolCommand is what an operator does to a pool.
type PoolCommand struct {
	Verb     PoolVerb
	Deadline time.Duration // of a drain: how long running tasks may take
	ModelRef string        // of a reload: the new model
}

// PoolVerb is the kind of a PoolCommand.
type PoolVerb string

// The verbs. Purge ends the engine, its tasks and its caches at once.
const (
	Drain  PoolVerb = "drain"
	Reload PoolVerb = "reload"
	Purge  PoolVerb = "purge"
)

// Commanded is how a pool is on each node after a command.
type Commanded struct {
	PoolID string          `json:"pool_id"`
	Nodes  []CommandedNode `json:"nodes" nullable:"false"`
}

// CommandedNode is what one pool manager answered.
type CommandedNode struct {
	NodeID string `json:"node_id"`
	State  string `json:"state"`
}

// Command carries a command out on every online node that has the pool, one
// after the other, and stops at the first that refuses. A reload is then undone
// where it was done: all nodes have the new model, or none, and the error says
// which ones could not be brought back. Of a drain or a purge it says where it was
// done. It goes on when the caller hangs up: half a command helps nobody.
func (o *Orchestrator) Command(ctx context.Context, poolID string, c PoolCommand) (Commanded, error) {
	if c.Verb == Reload && o.catalog.retired(c.ModelRef) {
		return Commanded{}, fail(Conflict, "MODEL_RETIRED", "the catalog has retired this model")
	}
	targets, err := o.nodes.commandable(poolID)
	if err != nil {
		return Commanded{}, err
	}
	done := Commanded{PoolID: poolID, Nodes: []CommandedNode{}}
	for i, t := range targets {
		state, err := o.command(ctx, t, poolID, c)
		if err != nil {
			return done, o.halfDone(ctx, poolID, c, targets[:i], targets[i+1:], o.refusedBy(t.nodeID, err))
		}
		done.Nodes = append(done.Nodes, CommandedNode{t.nodeID, clip(state.State)})
	}
	return done, nil
}

// halfDone undoes a reload on the nodes that did it, the last one first, and adds
// to the refusal what is where now.
func (o *Orchestrator) halfDone(ctx context.Context, poolID string, c PoolCommand, did, left []commandTarget, refusal *Error) *Error {
	var back, stuck []string
	for _, t := range slices.Backward(did) {
		undo := PoolCommand{Verb: Reload, ModelRef: t.model}
		if c.Verb != Reload || t.model == "" {
			stuck = append(stuck, t.nodeID)
		} else if _, err := o.command(ctx, t, poolID, undo); err != nil {
			o.log.ErrorContext(ctx, "a reload is not undone", "pool_id", poolID, "node_id", t.nodeID, "model_ref", t.model, "error", err,
				"correlation_id", authmin.CorrelationID(ctx))
			stuck = append(stuck, t.nodeID)
		} else {
			back = append(back, t.nodeID)
		}
	}
	if c.Verb == Reload && len(stuck) > 0 {
		refusal.Code = "ROLLBACK_INCOMPLETE"
	}
	for _, part := range []struct {
		what  string
		nodes []string
	}{{"rolled back on", back}, {"done, and not undone, on", stuck}, {"not tried on", names(left)}} {
		if len(part.nodes) > 0 {
			refusal.Hint += "; " + part.what + " " + listed(part.nodes)
		}
	}
	return refusal
}

// maxListed is how many nodes an error names; the log has all of them.
const maxListed = 16

func listed(nodes []string) string {
	if len(nodes) > maxListed {
		return strings.Join(nodes[:maxListed], ", ") + fmt.Sprintf(" and %d more", len(nodes)-maxListed)
	}
	return strings.Join(nodes, ", ")
}

func names(targets []commandTarget) (ids []string) {
	for _, t := range targets {
		ids = append(ids, t.nodeID)
	}
	return ids
}

// commandTarget is a node that is to be commanded.
type commandTarget struct {
	nodeID string
	client *client.Client
	model  string // what the pool has now; "" when its node has not said
}

// commandable gives the online nodes with the pool.
func (ns *nodes) commandable(poolID string) ([]commandTarget, error) {
	var targets []commandTarget
	known := false
	for _, c := range ns.candidates() {
		if c.PoolID != poolID {
			continue
		}
		known = true
		ns.mu.Lock()
		if n := ns.byID[c.NodeID]; n != nil && c.Online {
			targets = append(targets, commandTarget{c.NodeID, n.control, n.model(poolID)})
		}
		ns.mu.Unlock()
	}
	if !known {
		return nil, fail(NotFound, "POOL_NOT_FOUND", "no node has reported this pool")
	}
	if len(targets) == 0 {
		return nil, fail(Unavailable, "NODE_OFFLINE", "no node with this pool is online")
	}
	return targets, nil
}

func (n *node) model(poolID string) string {
	for _, p := range n.pools {
		if p.PoolID == poolID {
			return p.ModelRef
		}
	}
	return ""
}

// command keeps new tasks away from the pool while it carries the command out.
// The node's next heartbeat has the last word.
func (o *Orchestrator) command(ctx context.Context, t commandTarget, poolID string, c PoolCommand) (client.PoolState, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), controlTimeout)
	defer cancel()
	defer o.poke()
	before, _ := o.nodes.alter(ctx, t.nodeID, poolID, func(p *client.Pool) { p.Draining = true })
	var state client.PoolState
	var err error
	switch c.Verb {
	case Drain:
		state, err = t.client.Drain(ctx, poolID, client.DrainRequest{DeadlineMS: c.Deadline.Milliseconds()})
	case Reload:
		state, err = t.client.Reload(ctx, poolID, client.ReloadRequest{ModelRef: c.ModelRef})
	case Purge:
		state, err = t.client.Stop(ctx, poolID)
	}
	o.log.InfoContext(ctx, "pool commanded", "verb", c.Verb, "pool_id", poolID, "node_id", t.nodeID, "model_ref", c.ModelRef,
		"ok", err == nil, "correlation_id", authmin.CorrelationID(ctx))
	o.nodes.alter(ctx, t.nodeID, poolID, func(p *client.Pool) {
		switch {
		case err != nil:
			p.Draining = before.Draining
		case c.Verb == Reload:
			p.Draining, p.ModelRef, p.Models = false, c.ModelRef, []string{c.ModelRef}
		case c.Verb == Purge:
			p.Ready = false
		}
	})
	return state, err
}

// alter changes what is known of a pool until its node's next heartbeat, here and
// on other replicas, and gives what was known before.
func (ns *nodes) alter(ctx context.Context, nodeID, poolID string, f func(*client.Pool)) (before client.Pool, ok bool) {
	ns.mu.Lock()
	n := ns.byID[nodeID]
	if n == nil {
		ns.mu.Unlock()
		return client.Pool{}, false
	}
	said, revision := n.said, n.revision
	said.Pools = slices.Clone(said.Pools)
	for i := range n.pools {
		if p := &n.pools[i]; p.PoolID == poolID {
			before, ok = p.Pool, true
			f(&p.Pool)
			p.models = append(slices.Clone(p.Models), p.ModelRef)
			n.info.Pools[i], said.Pools[i] = p.Pool, p.Pool
			ns.version.Add(1)
		}
	}
	n.said.Pools = said.Pools
	ns.mu.Unlock()
	if ok && ns.shared != nil {
		if err := ns.update(ctx, nodeID, said, revision); err != nil { // the next heartbeat says it
			ns.log.DebugContext(ctx, "other replicas are not told of a command", "node_id", nodeID, "error", err)
		}
	}
	return before, ok
}

var problemCode = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// refusedBy translates what a pool manager answered. Its code is passed on: a
// rollback is told apart from a pool that is not ready.
func (o *Orchestrator) refusedBy(nodeID string, err error) *Error {
	refused, ok := errors.AsType[*client.StatusError](err)
	if !ok {
		o.log.Warn("node is not reached", "node_id", nodeID, "error", err)
		return fail(Unavailable, "NODE_UNREACHABLE", "node %s could not be reached; what it has done is not known", nodeID)
	}
	code := refused.Code
	if !problemCode.MatchString(code) {
		code = "NODE_REFUSED"
	}
	hint := "node " + nodeID + ": " + strings.ToValidUTF8(clip(refused.Hint), "")
	switch refused.Status {
	case http.StatusConflict:
		return fail(Conflict, code, "%s", hint)
	case http.StatusNotFound:
		return fail(NotFound, code, "%s", hint)
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return fail(Invalid, code, "%s", hint)
	}
	return fail(Unavailable, "NODE_REFUSED", "node %s answered %d", nodeID, refused.Status)
}
