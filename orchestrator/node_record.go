package orchestrator

import (
	"net/http"
	"slices"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// HeartbeatInterval is how often a node has to send a heartbeat.
	HeartbeatInterval = 10 * time.Second
	// MaxNodes, MaxPoolsPerNode and MaxModelsPerPool bound what nodes can make
	// the orchestrator remember; ten times the largest fleet we test.
	MaxNodes         = 1024
	MaxPoolsPerNode  = 64
	MaxModelsPerPool = 256
	// maxSlots is more than the engines of one node run at once, and keeps sums small.
	maxSlots = 4096
	// replayWindow is how far a heartbeat's clock may be off.
	replayWindow = 30 * time.Second
)

// NodeState is what the list of nodes says of one.
type NodeState string

// The states of a node.
const (
	NodeOnline   NodeState = "online"
	NodeDraining NodeState = "draining"
	NodeOffline  NodeState = "offline"
)

// Node is what an administrator sees of a node. Its token is not part of it.
type Node struct {
	NodeID        string               `json:"node_id"`
	MachineID     string               `json:"machine_id"`
	Owner         string               `json:"owner" doc:"The identity that first registered it"`
	Address       string               `json:"address"`
	State         NodeState            `json:"state" enum:"online,draining,offline"`
	Version       string               `json:"version"`
	LastHeartbeat time.Time            `json:"last_heartbeat"`
	Pools         []nodeapi.Pool       `json:"pools" nullable:"false"`
	Capabilities  nodeapi.Capabilities `json:"capabilities"`
}

// node is a registered node. All of it is guarded by nodes.mu.
type node struct {
	info     Node
	said     sharedNode // what info is made of
	revision uint64     // in the bucket of earlier versions; 0: not read from there
	pools    []pool
	devices  []string
	http     *http.Client // nil: see returning
	client   *nodeapi.Client
	control  *nodeapi.Client // with patience for reloads
	seen     time.Time       // when it last called, on our clock
	breaker  breaker
	// running counts our tasks a pool; others is what else used its slots when
	// it last reported; busy is while it asked to be left alone.
	running map[string]int
	others  map[string]int
	busy    map[string]pause
}

func (n *node) online(now time.Time, timeout time.Duration) bool {
	return !n.returning() && now.Sub(n.seen) < timeout
}

// returning reports whether the node is known from before the start only: without its
// token, it gets no task before it has registered again.
func (n *node) returning() bool { return n.http == nil }

func (n *node) state(now time.Time, timeout time.Duration) NodeState {
	switch {
	case !n.online(now, timeout):
		return NodeOffline
	case len(n.info.Pools) > 0 && !slices.ContainsFunc(n.info.Pools, func(p nodeapi.Pool) bool { return !p.Draining }):
		return NodeDraining
	}
	return NodeOnline
}

// setPools takes over what the node says about its pools.
func (ns *nodes) setPools(n *node, pools []nodeapi.Pool) {
	pools = bounded(pools, n.info.Capabilities)
	n.info.Pools = pools
	n.pools = make([]pool, len(pools))
	for i, p := range pools {
		n.pools[i] = pool{p, ns.granted(n, p), p.Protocols(), p.Contexts(), p.Deterministic()}
	}
	clear(n.others)
	n.resume(ns.now())
	for _, p := range pools {
		n.others[p.PoolID] = max(0, p.SlotsTotal-p.SlotsFree-n.running[p.PoolID])
	}
}

// granted is the models of a pool that its node's identity may offer.
func (ns *nodes) granted(n *node, p nodeapi.Pool) []string {
	models := append(slices.Clone(p.Models), p.ModelRef)
	if len(ns.grants) == 0 {
		return models
	}
	return slices.DeleteFunc(models, func(m string) bool { return !ns.grants.allows(n.info.Owner, m) })
}

// checkPools bounds what a node reports.
func checkPools(pools []nodeapi.Pool) error {
	if len(pools) > MaxPoolsPerNode {
		return fail(Invalid, "INVALID_NODE", "more than %d pools", MaxPoolsPerNode)
	}
	seen, slots := make(map[string]bool, len(pools)), 0
	for _, p := range pools {
		switch {
		case !nodeapi.ValidPoolID(p.PoolID):
			return fail(Invalid, "INVALID_NODE", "pool_id must be 1 to 64 of a-z 0-9 _ . -")
		case seen[p.PoolID]:
			return fail(Invalid, "INVALID_NODE", "pool_id %s is given twice", p.PoolID)
		case p.SlotsTotal < 0 || p.SlotsTotal > maxSlots || p.SlotsFree < 0 || p.SlotsFree > p.SlotsTotal:
			return fail(Invalid, "INVALID_NODE", "slots of pool %s must satisfy 0 ≤ slots_free ≤ slots_total ≤ %d", p.PoolID, maxSlots)
		case p.VRAMFreeBytes < 0:
			return fail(Invalid, "INVALID_NODE", "vram_free_bytes of pool %s is negative", p.PoolID)
		case !engineName.MatchString(p.Engine):
			return fail(Invalid, "INVALID_NODE", "engine of pool %s must be up to 64 of a-z 0-9 _ -", p.PoolID)
		case len(p.Models) > MaxModelsPerPool || !legible(p.ModelRef, maxModelName):
			return fail(Invalid, "INVALID_NODE", "pool %s has over %d models, or a model_ref that is over %d bytes or not printable", p.PoolID, MaxModelsPerPool, maxModelName)
		case slices.ContainsFunc(p.Models, func(m string) bool { return m == "" || !legible(m, maxModelName) }):
			return fail(Invalid, "INVALID_NODE", "a model of pool %s has no name, or one over %d bytes or not printable", p.PoolID, maxModelName)
		case len(p.Workloads) > maxWorkloads || slices.ContainsFunc(p.Workloads, func(w string) bool { return w == "" || !legible(w, 32) }):
			return fail(Invalid, "INVALID_NODE", "pool %s has over %d workloads, or one without a name or with one over 32 bytes", p.PoolID, maxWorkloads)
		}
		seen[p.PoolID] = true
		slots += p.SlotsTotal
	}
	if slots > maxSlots {
		return fail(Invalid, "INVALID_NODE", "the pools of the node have over %d slots together", maxSlots)
	}
	return nil
}
