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
	"github.com/llorch/gateway/poolmanager/nodeapi"
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

// Commanded is how a pool is after a command, and on which node it is.
type Commanded struct {
	PoolID string          `json:"pool_id"`
	Nodes  []CommandedNode `json:"nodes" nullable:"false"`
}

// CommandedNode is what the pool manager answered.
type CommandedNode struct {
	NodeID string `json:"node_id"`
	State  string `json:"state"`
}

// Command runs a command on the one pool of this name. It continues when the caller
// hangs up, so that no command is left half done.
func (o *Orchestrator) Command(ctx context.Context, name string, c PoolCommand) (Commanded, error) {
	if c.Verb == Reload && o.catalog.retired(c.ModelRef) {
		return Commanded{}, fail(Conflict, "MODEL_RETIRED", "the catalog has retired this model")
	}
	nodeID, poolID, err := o.nodes.lookUpPool(name)
	if err != nil {
		return Commanded{}, err
	}
	manager := o.nodes.commander(nodeID)
	if manager == nil {
		return Commanded{}, fail(Unavailable, "NODE_OFFLINE", "node %s is not online", nodeID)
	}
	state, err := o.command(ctx, manager, nodeID, poolID, c)
	if err != nil {
		return Commanded{}, o.refusedBy(nodeID, err)
	}
	return Commanded{PoolID: poolID, Nodes: []CommandedNode{{nodeID, printable(state.State, maxWord)}}}, nil
}

// maxListed is how many nodes an error names.
const maxListed = 16

func listed(nodes []string) string {
	if len(nodes) > maxListed {
		return strings.Join(nodes[:maxListed], ", ") + fmt.Sprintf(" and %d more", len(nodes)-maxListed)
	}
	return strings.Join(nodes, ", ")
}

// commander gives the client for a node's pool manager; nil while it is offline.
func (ns *nodes) commander(nodeID string) *nodeapi.Client {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if n := ns.byID[nodeID]; n != nil && n.online(ns.now(), ns.timeout) {
		return n.control
	}
	return nil
}

// command sends no new tasks to the pool while the command runs. The node's next
// heartbeat replaces the state that is noted here.
func (o *Orchestrator) command(ctx context.Context, manager *nodeapi.Client, nodeID, poolID string, c PoolCommand) (nodeapi.PoolState, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), controlTimeout)
	defer cancel()
	defer o.scheduler.wake()
	before, _ := o.nodes.alter(nodeID, poolID, func(p *nodeapi.Pool) { p.Draining = true })
	var state nodeapi.PoolState
	var err error
	switch c.Verb {
	case Drain:
		state, err = manager.Drain(ctx, poolID, nodeapi.DrainRequest{DeadlineMS: c.Deadline.Milliseconds()})
	case Reload:
		state, err = manager.Reload(ctx, poolID, nodeapi.ReloadRequest{ModelRef: c.ModelRef})
	case Purge:
		state, err = manager.Stop(ctx, poolID)
	}
	o.log.InfoContext(ctx, "pool commanded", "verb", c.Verb, "pool_id", poolID, "node_id", nodeID, "model_ref", c.ModelRef,
		"ok", err == nil, "correlation_id", authmin.CorrelationID(ctx))
	o.nodes.alter(nodeID, poolID, func(p *nodeapi.Pool) {
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

// alter changes the noted state of a pool until its node's next heartbeat, here and on
// other replicas, and gives the state before.
func (ns *nodes) alter(nodeID, poolID string, f func(*nodeapi.Pool)) (before nodeapi.Pool, ok bool) {
	ns.mu.Lock()
	n := ns.byID[nodeID]
	if n == nil {
		ns.mu.Unlock()
		return nodeapi.Pool{}, false
	}
	said, heard := n.said, n.seen
	said.Pools = slices.Clone(said.Pools)
	for i := range n.pools {
		if p := &n.pools[i]; p.PoolID == poolID {
			before, ok = p.Pool, true
			f(&p.Pool)
			p.models = ns.granted(n, p.Pool)
			n.info.Pools[i], said.Pools[i] = p.Pool, p.Pool
			ns.version.Add(1)
		}
	}
	said.Stamp = said.Stamp.Add(1) // later than the report, and earlier than the node's next one
	n.said = said
	ns.mu.Unlock()
	if ok {
		ns.peers.tell(nodeID, said, heard)
	}
	return before, ok
}

var problemCode = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// refusedBy translates a pool manager's answer. Its code is passed on, which tells a
// rollback from a pool that is not ready.
func (o *Orchestrator) refusedBy(nodeID string, err error) *Error {
	refused, ok := errors.AsType[*nodeapi.StatusError](err)
	if !ok {
		o.log.Warn("node unreachable", "node_id", nodeID, "error", forLog(err))
		return fail(Unavailable, "NODE_UNREACHABLE", "node %s could not be reached; it may have carried out the command", nodeID)
	}
	code := refused.Code
	if !problemCode.MatchString(code) {
		code = "NODE_REFUSED"
	}
	hint := "node " + nodeID + ": " + printable(refused.Hint, maxMessage)
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
