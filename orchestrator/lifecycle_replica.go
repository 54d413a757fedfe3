package orchestrator

import (
	"context"
	"fmt"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator/store"
)

// Replica is how this replica and the cluster around it are, as it sees them.
type Replica struct {
	Name       string           `json:"replica"`
	NotReady   backend.NotReady `json:"not_ready,omitempty" enum:"draining,no_quorum,starting,disk_full" doc:"Why GET /ready is 503"`
	Schedules  bool             `json:"schedules" doc:"Whether this replica places the tasks of all"`
	Replicas   int              `json:"replicas" doc:"How many there should be"`
	Connected  int              `json:"connected" doc:"How many of them are connected, this one included; 0 with an existing NATS cluster, where it is not known"`
	Groups     []store.Group    `json:"groups" nullable:"false" doc:"Replicas agree on each of these by a leader; none of a single server"`
	NodesKnown int              `json:"nodes_known"`
	Disk       *store.Space     `json:"disk,omitempty" doc:"Of the state directory; absent with an existing NATS cluster"`
	MayLose    bool             `json:"safe_to_lose_another" doc:"Whether each group keeps a quorum when one more replica stops"`
}

// Replica asks the leader of each group, for at most 2 s.
func (o *Orchestrator) Replica(ctx context.Context) (Replica, error) {
	r := Replica{Name: o.replica, NotReady: o.NotReady(), Schedules: o.scheduler.leading.Load(), Groups: o.store.GroupStates(ctx), NodesKnown: len(o.nodes.list())}
	r.Replicas, r.Connected = o.store.Replicas()
	r.MayLose = store.MayLose(r.Groups, r.Replicas)
	var err error
	if r.Disk, err = o.store.Space(); err != nil {
		return r, fmt.Errorf("reading free disk space: %w", err)
	}
	return r, nil
}
