package orchestrator

import (
	"crypto/x509"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// observe takes over a node's record, written by another replica or by this one. An
// expired record is ignored: the node goes offline by itself.
func (ns *nodes) observe(e store.Entry) {
	if e.Deleted {
		return
	}
	var said sharedNode
	if err := json.Unmarshal(e.Value, &said); err != nil {
		ns.log.Error("decoding node record", "node_id", e.Key, "error", err)
		return
	}
	// Clocks of replicas may differ; what is listed at a start is not new.
	now := ns.now()
	age := min(max(0, now.Sub(e.Created)), ns.timeout)
	ns.apply(e.Key, said, e.Revision, now.Add(-age))
}

// apply takes a report over into memory, unless memory has a newer one. When the
// bucket was lost, as after a restart of all servers of a NATS cluster, revisions start
// anew: a later report counts all the same.
func (ns *nodes) apply(id string, said sharedNode, revision uint64, seen time.Time) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	delete(ns.awaited, id)
	n := ns.byID[id]
	if n != nil && revision <= n.revision && ns.shared != nil && !said.after(n.said) {
		return
	}
	if said.Removed {
		ns.forget(id)
		return
	}
	to := target{said.Address, said.Pin}
	if !ns.address.admits(to) {
		ns.log.Warn("node ignored: address not allowed", "node_id", id, "address", said.Address)
		ns.forget(id)
		return
	}
	if n == nil {
		n = &node{running: map[string]int{}, others: map[string]int{}, busy: map[string]pause{}}
		ns.byID[id] = n
		at, _ := slices.BinarySearchFunc(ns.order, id, func(n *node, id string) int { return strings.Compare(n.info.NodeID, id) })
		ns.order = slices.Insert(ns.order, at, n)
	}
	if n.http == nil || !said.Registered.Equal(n.said.Registered) {
		n.connect(to, ns.credentialOf(said), ns.authorities)
	}
	n.said, n.revision, n.seen = said, revision, seen
	n.info = Node{
		NodeID: id, MachineID: said.MachineID, Owner: said.Owner, Address: said.Address,
		Version: said.Version, LastHeartbeat: seen, Capabilities: said.Capabilities,
	}
	n.devices = nil
	for _, g := range said.Capabilities.GPUs {
		n.devices = append(n.devices, g.DeviceID)
	}
	ns.report(n, said.Pools)
	ns.changed()
}

// forget takes a node out of memory. mu is held.
func (ns *nodes) forget(id string) {
	n := ns.byID[id]
	if n == nil {
		return
	}
	n.http.CloseIdleConnections()
	delete(ns.byID, id)
	ns.order = slices.DeleteFunc(ns.order, func(other *node) bool { return other == n })
}

// connect makes the clients of a node that has registered.
func (n *node) connect(to target, token func() authmin.Secret, authorities *x509.CertPool) {
	if n.http != nil {
		n.http.CloseIdleConnections()
	}
	n.http = to.httpClient(authorities)
	reveal := func() string { return token().Reveal() }
	n.client = nodeapi.New(to.base, reveal, propagate(n.http))
	n.control = nodeapi.New(to.base, reveal, propagate(to.controlClient(authorities)))
	n.breaker = breaker{}
	clear(n.busy)
}

// resetUsage has a new leader count the slots that its predecessor used as free; a
// pool that is still busy refuses.
func (ns *nodes) resetUsage() {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, n := range ns.order {
		clear(n.others)
	}
	ns.version.Add(1)
}
