package orchestrator

import (
	common "github.com/llorch/gateway/authmin/backend/metrics"
	"github.com/prometheus/client_golang/prometheus"
)

// registerGauges registers what is read from the state at each scrape, so that nothing
// of it is stale.
func registerGauges(reg prometheus.Registerer, o *Orchestrator) {
	gauge := func(name, help string, labels prometheus.Labels, value func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value))
	}
	for _, class := range []Priority{Interactive, Batch} {
		gauge("queue_depth", "Tasks that wait.", prometheus.Labels{"priority": string(class)},
			func() float64 { return float64(o.queue.depth(class)) })
	}
	gauge("llorch_queue_capacity", "Tasks that may wait, of both priorities together.", nil, func() float64 { return float64(o.queue.capacity) })
	gauge("orchd_nodes_online", "Nodes that have called in time.", nil, func() float64 { return float64(o.nodes.online()) })
	for _, state := range []NodeState{NodeOnline, NodeDraining, NodeOffline} {
		gauge("llorch_nodes", "Nodes that are known, by state. One that stays offline is forgotten after an hour.", prometheus.Labels{"state": string(state)},
			func() float64 { return float64(o.nodes.inState(state)) })
	}
	gauge("orchd_pools_available", "Pools that would take a task now.", nil, func() float64 { return float64(o.nodes.available()) })
	gauge("llorch_store_consumers", "JetStream consumers; readers of events have none.", nil, func() float64 { return float64(o.store.Consumers()) })
	gauge("llorch_leader", "1 on the replica that schedules.", nil, func() float64 { return common.Bool(o.scheduler.leading.Load()) })
	gauge("llorch_quorum", "1 while this replica is connected to a quorum; a single server is one.", nil, func() float64 { return common.Bool(o.store.ConnectedToQuorum()) })
}

// inState counts the nodes in a state.
func (ns *nodes) inState(want NodeState) int {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	count := 0
	for _, n := range ns.byID {
		if n.state(ns.now(), ns.timeout) == want {
			count++
		}
	}
	return count
}
