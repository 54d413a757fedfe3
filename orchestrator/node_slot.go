package orchestrator

import (
	"errors"
	"net/http"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// slot is one slot of a pool, taken for one task.
type slot struct {
	ns             *nodes
	n              *node
	nodeID, poolID string
	engine         string
	model          string // what the pool calls the task's model
	client         *nodeapi.Client
}

// acquire takes a slot of the chosen pool; nil if the node has gone meanwhile.
func (ns *nodes) acquire(c Candidate, model string) *slot {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n := ns.byID[c.NodeID]
	if n == nil {
		return nil
	}
	n.running[c.PoolID]++
	n.breaker.begin()
	own, _ := c.ownName(model)
	return &slot{ns: ns, model: own, n: n, nodeID: c.NodeID, poolID: c.PoolID, engine: c.Engine, client: n.client}
}

// release gives the slot back and records the result in the breaker.
func (l *slot) release(err error) {
	l.ns.mu.Lock()
	defer l.ns.mu.Unlock()
	l.ns.version.Add(1)
	if l.n.running[l.poolID]--; l.n.running[l.poolID] <= 0 {
		delete(l.n.running, l.poolID)
	}
	now := l.ns.now()
	var refused *nodeapi.StatusError
	switch {
	case err == nil:
		l.n.breaker.succeed()
		delete(l.n.busy, l.poolID)
	case errors.Is(err, errNotTheNode), errors.Is(err, errBodyLost):
		l.n.breaker.abandon()
	case busy(err):
		l.n.rest(l.poolID, err, now)
		l.n.breaker.abandon()
	case refusesTask(err):
		l.n.breaker.abandon() // else one caller's tasks could open it for all callers
	case errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden):
		l.n.breaker.abandon() // a credential is wrong, the node is not
	default:
		l.n.breaker.fail(now)
	}
}

// nodeLost reports whether the node has gone silent.
func (l *slot) nodeLost() bool {
	l.ns.mu.Lock()
	defer l.ns.mu.Unlock()
	return !l.n.online(l.ns.now(), l.ns.timeout)
}
