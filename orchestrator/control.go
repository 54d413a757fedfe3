package orchestrator

import (
	"context"
	"errors"
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
// after the other, and stops at the first that refuses: the error names it, and
// the nodes before it have done what was asked. It goes on when the caller
// hangs up: half a command helps nobody.
func (o *Orchestrator) Command(ctx context.Context, poolID string, c PoolCommand) (Commanded, error) {
	if c.Verb == Reload && o.catalog.retired(c.ModelRef) {
		return Commanded{}, fail(Conflict, "MODEL_RETIRED", "the catalog has retired this model")
	}
	targets, err := o.nodes.commandable(poolID)
	if err != nil {
		return Commanded{}, err
	}
	done := Commanded{PoolID: poolID, Nodes: []CommandedNode{}}
	for _, t := range targets {
		state, err := o.command(ctx, t, poolID, c)
		o.log.InfoContext(ctx, "pool commanded", "verb", c.Verb, "pool_id", poolID, "node_id", t.nodeID, "model_ref", c.ModelRef,
			"ok", err == nil, "correlation_id", authmin.CorrelationID(ctx))
		if err != nil {
			return done, o.refusedBy(t.nodeID, err)
		}
		done.Nodes = append(done.Nodes, CommandedNode{t.nodeID, clip(state.State)})
	}
	return done, nil
}

// commandTarget is a node that is to be commanded.
type commandTarget struct {
	nodeID string
	client *client.Client
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
			targets = append(targets, commandTarget{c.NodeID, n.control})
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

// command keeps new tasks away from the pool while it carries the command out.
// The node's next heartbeat has the last word.
func (o *Orchestrator) command(ctx context.Context, t commandTarget, poolID string, c PoolCommand) (client.PoolState, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), controlTimeout)
	defer cancel()
	defer o.poke()
	before, _ := o.nodes.alter(t.nodeID, poolID, func(p *client.Pool) { p.Draining = true })
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
	o.nodes.alter(t.nodeID, poolID, func(p *client.Pool) {
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

// alter changes what is known of a pool, and gives what was known before.
func (ns *nodes) alter(nodeID, poolID string, f func(*client.Pool)) (before client.Pool, ok bool) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n := ns.byID[nodeID]
	if n == nil {
		return client.Pool{}, false
	}
	for i := range n.pools {
		if p := &n.pools[i]; p.PoolID == poolID {
			before = p.Pool
			f(&p.Pool)
			p.models = append(slices.Clone(p.Models), p.ModelRef)
			n.info.Pools[i] = p.Pool
			ns.version.Add(1)
			return before, true
		}
	}
	return client.Pool{}, false
}

var problemCode = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// refusedBy translates what a pool manager answered. Its code is passed on: a
// rollback is told apart from a pool that is not ready.
func (o *Orchestrator) refusedBy(nodeID string, err error) error {
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
