package orchestrator

import (
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// candidates gives every pool, in the order of their names. What a candidate
// names is shared and must not be changed.
func (ns *nodes) candidates() []Candidate {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	now, count := ns.now(), 0
	for _, n := range ns.order {
		count += len(n.pools)
	}
	out := make([]Candidate, 0, count)
	for _, n := range ns.order {
		for i := range n.pools {
			out = append(out, n.candidate(&n.pools[i], now, ns.timeout))
		}
	}
	return out
}

// each calls f for every pool until f is satisfied, and reports whether it was.
func (ns *nodes) each(f func(Candidate) bool) bool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	now := ns.now()
	for _, n := range ns.order {
		for i := range n.pools {
			if f(n.candidate(&n.pools[i], now, ns.timeout)) {
				return true
			}
		}
	}
	return false
}

// holds reports whether that pool is there now, with the model.
func (ns *nodes) holds(nodeID, poolID, model string) bool {
	return ns.each(func(c Candidate) bool {
		return c.NodeID == nodeID && c.PoolID == poolID && c.Online && c.Ready && c.holds(model)
	})
}

// slots is how many such tasks the pools with the model would take now.
func (ns *nodes) slots(n Needs) (free int) {
	ns.each(func(c Candidate) bool {
		if infeasible(n, c) == "" {
			free += c.SlotsFree
		}
		return false
	})
	return free
}

// offered gives the pools that have the model, as node_id/pool_id, until one of them
// fits.
func (ns *nodes) offered(n Needs) (holders []string, served bool) {
	served = ns.each(func(c Candidate) bool {
		has := c.holds(n.Model)
		if has {
			holders = append(holders, poolKey(c.NodeID, c.PoolID))
		}
		return has && n.fits(c)
	})
	return holders, served
}

// hasEngine reports whether any node has reported the engine.
func (ns *nodes) hasEngine(engine string) bool {
	return engine != "" && ns.each(func(c Candidate) bool { return c.Engine == engine })
}

// pool is what a node has reported of a pool, made ready for placement.
type pool struct {
	nodeapi.Pool
	models    []string // Models and ModelRef
	protocols []nodeapi.Protocol
	contexts  map[string]int64

	deterministic bool
}

func (n *node) candidate(p *pool, now time.Time, timeout time.Duration) Candidate {
	c := Candidate{
		NodeID: n.info.NodeID, PoolID: p.PoolID, Engine: p.Engine, Models: p.models, Devices: n.devices,
		Workloads: p.Workloads, Protocols: p.protocols, Contexts: p.contexts, Deterministic: p.deterministic,
		Online: n.online(now, timeout), Ready: p.Ready, Draining: p.Draining,
		Tripped:       n.breaker.blocks(now),
		SlotsTotal:    p.SlotsTotal,
		SlotsFree:     p.SlotsTotal - n.running[p.PoolID] - n.others[p.PoolID],
		VRAMFreeBytes: p.VRAMFreeBytes, Loadable: p.Loadable,
		State: p.State, Restarts: p.Restarts, LastError: p.LastError, Returning: n.returning(),
	}
	if rests := n.busy[p.PoolID]; now.Before(rests.until) {
		c.SlotsFree, c.Rests = 0, rests
	}
	return c
}
