package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// sharedNode is all that a node has told, as every replica needs it. It has the
// node's token, and is kept in memory storage only.
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
	Registered   time.Time            `json:"registered"`
	Stamp        time.Time            `json:"stamp"` // the node's clock at its last heartbeat
	Removed      bool                 `json:"removed,omitempty"`
}

// publish makes this the newest word on a node, here and for other replicas.
func (ns *nodes) publish(ctx context.Context, id string, said sharedNode) error {
	ns.mu.Lock()
	n, count := ns.byID[id], len(ns.byID)
	ns.mu.Unlock()
	if n == nil && said.Removed {
		return nil
	}
	if n == nil && count >= MaxNodes {
		return fail(Busy, "TOO_MANY_NODES", "%d nodes are registered", MaxNodes)
	}
	var revision uint64
	if ns.shared != nil {
		value, err := json.Marshal(said)
		if err != nil {
			return fmt.Errorf("encoding node %s: %w", id, err)
		}
		if revision, err = ns.overwrite(ctx, id, value); err != nil {
			return err
		}
	}
	ns.apply(id, said, revision, ns.now())
	return nil
}

// overwrite writes a node's key whatever it was before.
func (ns *nodes) overwrite(ctx context.Context, id string, value []byte) (uint64, error) {
	for {
		revision, err := ns.shared.Create(ctx, id, value)
		if !errors.Is(err, store.ErrExists) {
			return revision, err
		}
		stored, err := ns.shared.Get(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // it has expired since
		}
		if err != nil {
			return 0, err
		}
		if revision, err = ns.shared.Update(ctx, id, value, stored.Revision); !errors.Is(err, store.ErrConflict) {
			return revision, err
		}
	}
}

// update is publish for what was derived from the word of that revision.
func (ns *nodes) update(ctx context.Context, id string, said sharedNode, revision uint64) error {
	if ns.shared == nil {
		ns.apply(id, said, 0, ns.now())
		return nil
	}
	value, err := json.Marshal(said)
	if err != nil {
		return fmt.Errorf("encoding node %s: %w", id, err)
	}
	next, err := ns.shared.Update(ctx, id, value, revision)
	if err == nil {
		ns.apply(id, said, next, ns.now())
		return nil
	}
	return ns.lost(ctx, id, value, err)
}

// lost decides what a write that failed means: somebody else's word is taken
// over, and one that has expired is said once more. Without a store the node is
// alive all the same.
func (ns *nodes) lost(ctx context.Context, id string, value []byte, cause error) error {
	if errors.Is(cause, store.ErrUnavailable) {
		ns.mu.Lock()
		defer ns.mu.Unlock()
		if n := ns.byID[id]; n != nil {
			n.seen = ns.now()
		}
		return cause
	}
	stored, err := ns.shared.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		var next uint64
		if next, err = ns.shared.Create(ctx, id, value); err == nil {
			ns.observe(store.Entry{Key: id, Value: value, Revision: next, Created: ns.now()})
		}
		return err
	}
	if err != nil {
		return err
	}
	ns.observe(stored)
	return cause
}

// observe takes over what another replica has heard from a node, or this one.
// What has expired is not forgotten: the node is offline.
func (ns *nodes) observe(e store.Entry) {
	if e.Deleted {
		return
	}
	var said sharedNode
	if err := json.Unmarshal(e.Value, &said); err != nil {
		ns.log.Error("a node's record is not readable", "node_id", e.Key, "error", err)
		return
	}
	// Clocks of replicas may differ; what is listed at a start is not new.
	now := ns.now()
	age := min(max(0, now.Sub(e.Created)), ns.timeout)
	ns.apply(e.Key, said, e.Revision, now.Add(-age))
}

// after reports whether a word was said later than another one.
func (s sharedNode) after(t sharedNode) bool {
	return s.Registered.After(t.Registered) || s.Registered.Equal(t.Registered) && s.Stamp.After(t.Stamp)
}

// apply makes a word on a node what memory knows, unless that is newer. Where the
// bucket has lost its memory, as when all servers of a NATS cluster begin anew,
// revisions do as well: a later word counts all the same.
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
		ns.log.Warn("node is left out: its address is not allowed here", "node_id", id, "address", said.Address)
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
		n.connect(to, ns.credentialOf(said))
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
func (n *node) connect(to target, token func() authmin.Secret) {
	if n.http != nil {
		n.http.CloseIdleConnections()
	}
	n.http = to.httpClient()
	reveal := func() string { return token().Reveal() }
	n.client = nodeapi.New(to.base, reveal, told(n.http))
	n.control = nodeapi.New(to.base, reveal, told(to.controlClient()))
	n.breaker = breaker{}
	clear(n.busy)
}

// forgive lets a new scheduler begin with what the nodes have: slots that were
// in use for the one before are free, or the pool says otherwise.
func (ns *nodes) forgive() {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, n := range ns.order {
		clear(n.others)
	}
	ns.version.Add(1)
}
