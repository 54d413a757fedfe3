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
// an answer notices a lost orchestrator at once, and not with its next heartbeat.
func (o *Orchestrator) HoldHeartbeat(ctx context.Context, wait time.Duration) nodeapi.HeartbeatResponse {
	timer := time.NewTimer(min(wait, maxHeartbeatHold))
	defer timer.Stop()
	next := time.Duration(0)
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-o.lifecycle.leaving:
		next = leavingHeartbeat
	}
	return nodeapi.HeartbeatResponse{NextHeartbeatMS: max(1, next.Milliseconds())}
}
