package orchestrator

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// take takes over a report of which the node, or its removal, was heard at that time. It
// reports false when memory has a later one, or the node id belongs to another identity.
// mu is held.
func (ns *nodes) take(id string, said sharedNode, heard time.Time) bool {
	now := ns.now()
	if ns.disowned(id, said) || !ns.isNews(id, said, heard) || now.Sub(heard) > forgetAfter {
		return false
	}
	delete(ns.awaited, id)
	if said.Removed {
		ns.noteRemoval(id, removal{said, heard})
		ns.forget(id)
		return true
	}
	n := ns.byID[id]
	if n == nil && len(ns.byID) >= MaxNodes {
		ns.log.Warn("node ignored: too many nodes", "node_id", id, "limit", MaxNodes)
		return false
	}
	to := target{said.Address, said.Pin}
	if !ns.address.admits(to) {
		ns.log.Warn("node ignored: address not allowed", "node_id", id, "address", said.Address)
		ns.forget(id)
		return true
	}
	if n == nil {
		n = ns.add(id)
	}
	if n.returning() || !said.Registered.Equal(n.said.Registered) {
		n.connect(to, ns.credentialOf(said), ns.authorities)
	}
	ns.setReport(n, id, said, heard)
	return true
}

// disowned reports whether a report is of another identity than the owner of the node id,
// as of a replica that was cut off while the id got another owner. A removal names no
// owner. mu is held.
func (ns *nodes) disowned(id string, said sharedNode) bool {
	owner, known := ns.owners[id]
	return known && !said.Removed && said.Owner != owner
}

// isNews reports whether a report is later than what memory has of the node: by the order
// of registrations and heartbeats, or because what memory has is older than the node
// time-out, by this replica's clock. The second one counts where a replica did not know of
// an earlier registration, or removal, of which the time was given by another clock. mu is
// held.
func (ns *nodes) isNews(id string, said sharedNode, heard time.Time) bool {
	if r, ok := ns.removed[id]; ok && !said.after(r.said) && heard.Sub(r.heard) <= ns.timeout {
		return false
	}
	n := ns.byID[id]
	return n == nil || n.returning() || said.after(n.said) || heard.Sub(n.seen) > ns.timeout
}

// add puts an empty node into memory. mu is held.
func (ns *nodes) add(id string) *node {
	n := &node{info: Node{NodeID: id}, running: map[string]int{}, others: map[string]int{}, busy: map[string]pause{}}
	ns.byID[id] = n
	at, _ := slices.BinarySearchFunc(ns.order, id, func(n *node, id string) int { return strings.Compare(n.info.NodeID, id) })
	ns.order = slices.Insert(ns.order, at, n)
	return n
}

// setReport replaces what is known of a node. mu is held.
func (ns *nodes) setReport(n *node, id string, said sharedNode, heard time.Time) {
	if !said.sameKept(n.said) {
		ns.kept.changed()
	}
	n.said, n.seen = said, heard
	n.info = Node{
		NodeID: id, MachineID: said.MachineID, Owner: said.Owner, Address: said.Address,
		Version: said.Version, LastHeartbeat: heard, Capabilities: said.Capabilities,
	}
	n.devices = nil
	for _, g := range said.Capabilities.GPUs {
		n.devices = append(n.devices, g.DeviceID)
	}
	ns.setPools(n, said.Pools)
	ns.changed()
}

// forget takes a node out of memory. mu is held.
func (ns *nodes) forget(id string) {
	n := ns.byID[id]
	if n == nil {
		return
	}
	if n.http != nil {
		n.http.CloseIdleConnections()
	}
	delete(ns.byID, id)
	ns.order = slices.DeleteFunc(ns.order, func(other *node) bool { return other == n })
	ns.kept.changed()
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
