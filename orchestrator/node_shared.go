package orchestrator

import (
	"net/netip"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// sharedNode is a node's latest report, as every replica needs it. It has the node's
// token: it is in memory, and in messages between replicas, and on no disk.
type sharedNode struct {
	Owner        string               `json:"owner"`
	MachineID    string               `json:"machine_id"`
	Address      string               `json:"address"`
	Pin          netip.AddrPort       `json:"pin"` // what the address resolved to when it was checked
	Version      string               `json:"version"`
	Capabilities nodeapi.Capabilities `json:"capabilities"`
	Pools        []nodeapi.Pool       `json:"pools"`
	Token        string               `json:"token"`
	SharedToken  bool                 `json:"shared_token,omitempty"` // it is POOL_MANAGER_TOKEN, as it was at the registration
	// Registered is when a replica took the registration, or the removal: later than each
	// one before that it knew of.
	Registered time.Time `json:"registered"`
	Stamp      time.Time `json:"stamp"` // the node's clock at its last heartbeat
	Removed    bool      `json:"removed,omitempty"`
}

// after reports whether a report is later than another one.
func (s sharedNode) after(t sharedNode) bool {
	return s.Registered.After(t.Registered) || s.Registered.Equal(t.Registered) && s.Stamp.After(t.Stamp)
}

// removal is the last removal of a node. It is kept for forgetAfter, as long as a replica
// that has not heard of it may keep the node, so that an older report does not bring it
// back.
type removal struct {
	said  sharedNode
	heard time.Time
}

// maxRemovals bounds the removals that are kept: one for each node id that may be owned.
// The oldest goes first.
const maxRemovals = maxOwners

// noteRemoval keeps a removal. mu is held.
func (ns *nodes) noteRemoval(id string, r removal) {
	ns.removed[id] = r
	oldest, now := id, ns.now()
	for other, known := range ns.removed {
		if now.Sub(known.heard) > forgetAfter {
			delete(ns.removed, other)
		} else if known.heard.Before(ns.removed[oldest].heard) {
			oldest = other
		}
	}
	if len(ns.removed) > maxRemovals {
		delete(ns.removed, oldest)
	}
}

// nextRegistered is the time of a new registration or removal of the node: now, or just
// after the last one known here, if another replica's clock is ahead. mu is held.
func (ns *nodes) nextRegistered(id string) time.Time {
	at := ns.now().UTC().Round(0)
	var known []time.Time
	if n := ns.byID[id]; n != nil {
		known = append(known, n.said.Registered)
	}
	if r, ok := ns.removed[id]; ok {
		known = append(known, r.said.Registered)
	}
	for _, earlier := range known {
		if !at.After(earlier) {
			at = earlier.Add(1)
		}
	}
	return at
}

// introduce takes a registration over, here and for other replicas.
func (ns *nodes) introduce(id string, said sharedNode) error {
	ns.mu.Lock()
	full := ns.byID[id] == nil && len(ns.byID) >= MaxNodes
	said.Registered = ns.nextRegistered(id)
	ns.mu.Unlock()
	if full {
		return fail(Busy, "TOO_MANY_NODES", "%d nodes are registered", MaxNodes)
	}
	return ns.report(id, said)
}

// report takes over what the node has said just now, here and for other replicas.
func (ns *nodes) report(id string, said sharedNode) error {
	message, err := ns.peers.encode(id, said, 0)
	if err != nil {
		return err
	}
	ns.mu.Lock()
	taken := ns.take(id, said, ns.now())
	ns.mu.Unlock()
	if !taken {
		return staleHeartbeat() // a later one came meanwhile
	}
	ns.peers.publish(id, message)
	return nil
}

// withdraw takes a node out, here and for other replicas.
func (ns *nodes) withdraw(id string) {
	ns.mu.Lock()
	said, now := sharedNode{Removed: true, Registered: ns.nextRegistered(id)}, ns.now()
	ns.take(id, said, now)
	ns.mu.Unlock()
	ns.peers.tell(id, said, now)
}
