package orchestrator

import (
	"context"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// maxHeartbeatHold is the longest time that the answer to a heartbeat is held back: a
// heartbeat follows at once, within HeartbeatInterval of the one before.
const maxHeartbeatHold = HeartbeatInterval - time.Second

// leavingHeartbeat is how soon nodes of a replica that stops call another one.
const leavingHeartbeat = time.Second

// HoldHeartbeat holds the answer to a heartbeat back, for the time that the node asked for
// and maxHeartbeatHold at most, until ctx ends, or this replica stops. A node that waits for
// an answer notices a lost orchestrator at once, and not with its next heartbeat. One answer
// is held back for each node: a later call for the node ends an earlier one, which is told to
// come back after HeartbeatInterval, so that two programs with one node id do not end each
// other's all the time.
func (o *Orchestrator) HoldHeartbeat(ctx context.Context, id string, wait time.Duration) nodeapi.HeartbeatResponse {
	later, end := o.nodes.hold(id)
	defer end()
	timer := time.NewTimer(min(wait, maxHeartbeatHold))
	defer timer.Stop()
	next := time.Duration(0)
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-later:
		next = HeartbeatInterval
	case <-o.lifecycle.leaving:
		next = leavingHeartbeat
	}
	return nodeapi.HeartbeatResponse{NextHeartbeatMS: max(1, next.Milliseconds())}
}

// hold ends the hold of the node's earlier heartbeat, and begins one that lasts until end is
// called; later is closed when a later one ends it.
func (ns *nodes) hold(id string) (later <-chan struct{}, end func()) {
	own := make(chan struct{})
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if earlier, ok := ns.held[id]; ok {
		close(earlier)
	}
	ns.held[id] = own
	return own, func() {
		ns.mu.Lock()
		defer ns.mu.Unlock()
		if ns.held[id] == own {
			delete(ns.held, id)
		}
	}
}
