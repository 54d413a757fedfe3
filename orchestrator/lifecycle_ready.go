package orchestrator

import "github.com/llorch/gateway/authmin/backend"

// NotReady returns why this replica takes no work now, or "". The state is listed since
// [New] has returned, and with it the nodes that other replicas know. Nodes are not waited
// for: they may know only a balancer that waits for this answer.
func (o *Orchestrator) NotReady() backend.NotReady {
	switch {
	case o.lifecycle.stopping.Load():
		return backend.Draining
	case !o.store.ConnectedToQuorum():
		return backend.NoQuorum
	case o.store.CheckSpace() != nil:
		return backend.DiskFull
	}
	return ""
}
