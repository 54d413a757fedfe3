package orchestrator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// keptFile has the last known nodes, in the state directory.
	keptFile = "nodes.json"
	// keptEvery is the shortest time between two writes of it.
	keptEvery = time.Second
	// maxKeptBytes bounds it: MaxNodes of 64 KiB each.
	maxKeptBytes = 64 << 20
)

// keptNode is what a start needs of a node that was known before it: which models its pools
// have, so that tasks for them are admitted. Its token is not part of it, so it gets no
// task before it has registered again.
type keptNode struct {
	ID           string               `json:"id"`
	Owner        string               `json:"owner"`
	MachineID    string               `json:"machine_id"`
	Address      string               `json:"address"`
	Version      string               `json:"version"`
	Capabilities nodeapi.Capabilities `json:"capabilities"`
	Pools        []nodeapi.Pool       `json:"pools"`
	Seen         *time.Time           `json:"seen,omitempty"` // of one that was offline
}

// keptNodes writes them after each change, at most once in keptEvery.
type keptNodes struct {
	store *store.Store
	news  chan struct{} // capacity 1: something has changed
	last  []byte        // as it was written
}

func newKeptNodes(s *store.Store) keptNodes {
	return keptNodes{store: s, news: make(chan struct{}, 1)}
}

func (k *keptNodes) changed() {
	select {
	case k.news <- struct{}{}:
	default:
	}
}

// stablePools are pools without what changes with each task.
func stablePools(pools []nodeapi.Pool) []nodeapi.Pool {
	pools = slices.Clone(pools)
	for i := range pools {
		p := &pools[i]
		p.SlotsFree, p.VRAMFreeBytes, p.State, p.LastError, p.Restarts = 0, 0, "", "", 0
	}
	return pools
}

// sameKept reports whether two reports are kept as the same.
func (s sharedNode) sameKept(t sharedNode) bool {
	return s.Registered.Equal(t.Registered) && slices.EqualFunc(s.Pools, t.Pools, func(p, q nodeapi.Pool) bool {
		return p.PoolID == q.PoolID && p.Engine == q.Engine && p.ModelRef == q.ModelRef && p.Ready == q.Ready && p.Draining == q.Draining &&
			p.SlotsTotal == q.SlotsTotal && p.Loadable == q.Loadable && slices.Equal(p.Models, q.Models) && slices.Equal(p.Workloads, q.Workloads)
	})
}

// keepLoop writes the file until ctx ends, and then once more. A node that goes offline
// changes nothing else, so it also looks once in a node time-out.
func (ns *nodes) keepLoop(ctx context.Context) {
	look := time.NewTicker(ns.timeout)
	defer look.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-look.C:
		case <-ns.kept.news:
		}
		ns.keep()
		select {
		case <-ctx.Done():
		case <-time.After(keptEvery):
		}
	}
	ns.keep()
}

// keep writes the file if its text is another one than before.
func (ns *nodes) keep() {
	text, err := json.Marshal(ns.keptList())
	switch {
	case err != nil:
		ns.log.Error("encoding the known nodes", "error", err)
	case bytes.Equal(text, ns.kept.last):
	case len(text) >= maxKeptBytes:
		ns.log.Warn("known nodes are not written: too large", "bytes", len(text), "limit", maxKeptBytes)
	default:
		if err := ns.kept.store.SaveFile(keptFile, text); err != nil {
			ns.log.Warn("could not write the known nodes", "error", err) // a start waits for their registrations then
			return
		}
		ns.kept.last = text
	}
}

func (ns *nodes) keptList() []keptNode {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	now, all := ns.now(), make([]keptNode, 0, len(ns.order))
	for _, n := range ns.order {
		k := keptNode{
			ID: n.info.NodeID, Owner: n.info.Owner, MachineID: n.info.MachineID, Address: n.info.Address,
			Version: n.info.Version, Capabilities: n.info.Capabilities, Pools: stablePools(n.info.Pools),
		}
		if !n.online(now, ns.timeout) {
			seen := n.seen.UTC().Truncate(time.Second)
			k.Seen = &seen
		}
		all = append(all, k)
	}
	return all
}

// recall puts the nodes of the file into memory, as offline, unless they are there already.
// One that was removed or offline for forgetAfter, or has another owner since, is left out.
func (ns *nodes) recall() {
	text, err := ns.kept.store.LoadFile(keptFile, maxKeptBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var all []keptNode
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		ns.log.Warn("starting without the nodes that were known before", "error", err)
		return
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	now := ns.now()
	for _, k := range all[:min(len(all), MaxNodes)] {
		seen := now.Add(-ns.timeout)
		if k.Seen != nil && k.Seen.Before(seen) {
			seen = *k.Seen
		}
		owner, owned := ns.owners[k.ID]
		if _, removed := ns.removed[k.ID]; removed || !owned || owner != k.Owner || ns.byID[k.ID] != nil || now.Sub(seen) > forgetAfter || !nodeID.MatchString(k.ID) || checkPools(k.Pools) != nil {
			continue
		}
		ns.setReport(ns.add(k.ID), k.ID, sharedNode{
			Owner: k.Owner, MachineID: k.MachineID, Address: k.Address, Version: k.Version, Capabilities: k.Capabilities, Pools: k.Pools,
		}, seen)
	}
	if len(ns.order) > 0 {
		ns.log.Info("known nodes read; each is dispatched to when it has registered again", "nodes", len(ns.order), "names", listed(ns.names()))
	}
}

// names are the ids of all nodes. mu is held.
func (ns *nodes) names() (ids []string) {
	for _, n := range ns.order {
		ids = append(ids, n.info.NodeID)
	}
	slices.SortFunc(ids, strings.Compare)
	return ids
}
