package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// sharedNode is a node's latest report, as every replica needs it. It has the node's
// token, and is kept in memory storage only.
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

// publish replaces the report of a node, here and for other replicas.
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

// awaitListing waits until the nodes that other replicas know are listed, for one node
// time-out at most: a node that runs has called one of the replicas by then.
func (ns *nodes) awaitListing(ctx context.Context, list func(context.Context) error) error {
	listing, cancel := context.WithTimeout(ctx, ns.timeout)
	defer cancel()
	err := list(listing)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		ns.log.Warn("starting without the nodes of other replicas: not listed in time", "limit_ms", ns.timeout.Milliseconds())
		return nil
	}
	return err
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

// update is publish for a report that was derived from the one of that revision.
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
	return ns.resolveConflict(ctx, id, value, err)
}

// resolveConflict handles a failed update: the record of another replica is taken over,
// and an expired one is created again. While the store is unavailable the node still
// counts as seen.
func (ns *nodes) resolveConflict(ctx context.Context, id string, value []byte, cause error) error {
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

// after reports whether a report is later than another one.
func (s sharedNode) after(t sharedNode) bool {
	return s.Registered.After(t.Registered) || s.Registered.Equal(t.Registered) && s.Stamp.After(t.Stamp)
}
