package orchestrator

import (
	"slices"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// A pool is named node_id/pool_id. A bare pool_id means the pool only where
// exactly one node has it: otherwise a node that
// reports the id of another node's pool would get that pool's tasks and commands.

// maxPoolName is the longest name of a pool: a node_id of four parts of 64
// characters with dots between them, a slash, and a pool_id of 64.
const maxPoolName = 4*64 + 3 + 1 + 64 // 324

func poolKey(nodeID, poolID string) string { return nodeID + "/" + poolID }

// splitPool takes a pool's name apart; a bare pool_id has no node.
func splitPool(name string) (nodeID, poolID string) {
	if node, pool, full := strings.Cut(name, "/"); full {
		return node, pool
	}
	return "", name
}

func validPoolName(name string) bool {
	node, pool := splitPool(name)
	return len(name) <= maxPoolName && nodeapi.ValidPoolID(pool) && (!strings.Contains(name, "/") || nodeID.MatchString(node))
}

// carriers gives the nodes that have reported a pool of this name, by id, whether
// they are online or not: a node that is away keeps its place.
func carriers(candidates []Candidate, name string) (nodes []string) {
	node, pool := splitPool(name)
	for _, c := range candidates {
		if c.PoolID == pool && (node == "" || c.NodeID == node) {
			nodes = append(nodes, c.NodeID)
		}
	}
	return nodes
}

// lookUpPool finds the one pool that a name means: 404 when no node has reported
// it, 409 when several have.
func (ns *nodes) lookUpPool(name string) (nodeID, poolID string, err error) {
	_, poolID = splitPool(name)
	on := carriers(ns.candidates(), name)
	switch len(on) {
	case 0:
		return "", "", fail(NotFound, "POOL_NOT_FOUND", "no node has reported this pool")
	case 1:
		return on[0], poolID, nil
	}
	return "", "", ambiguousPool(poolID, on)
}

func ambiguousPool(poolID string, on []string) *Error {
	names := make([]string, len(on))
	for i, node := range on {
		names[i] = poolKey(node, poolID)
	}
	return fail(Conflict, "AMBIGUOUS_POOL", "several nodes have a pool %s; name one as node_id/pool_id: %s", poolID, listed(names))
}

// resolvePools replaces each bare pool_id of a hint by the full name of the one
// pool that has it, so that no node which comes later can take the pool's place.
// An id that no node has reported stays as it is, see meaning.
func (ns *nodes) resolvePools(h *PlacementHint) (*PlacementHint, error) {
	if h == nil {
		return nil, nil
	}
	resolved, candidates := *h, ns.candidates()
	full := func(name string) (string, error) {
		on := carriers(candidates, name)
		switch {
		case !validPoolName(name):
			return "", fail(Invalid, "INVALID_TASK", "a pool in placement is named node_id/pool_id, or pool_id where one node has it")
		case len(on) > 1:
			return "", ambiguousPool(name, on)
		case len(on) == 1:
			_, pool := splitPool(name)
			return poolKey(on[0], pool), nil
		}
		return name, nil
	}
	var err error
	if h.PinPoolID != "" {
		if resolved.PinPoolID, err = full(h.PinPoolID); err != nil {
			return nil, err
		}
	}
	resolved.PreferPools, resolved.AvoidPools = slices.Clone(h.PreferPools), slices.Clone(h.AvoidPools)
	for _, list := range [][]string{resolved.PreferPools, resolved.AvoidPools} {
		for i, name := range list {
			if list[i], err = full(name); err != nil {
				return nil, err
			}
		}
	}
	return &resolved, nil
}

// meaning reports whether a name in a pin or a preference means this pool. A bare
// pool_id that several nodes have means none of them: it was unknown when the task
// was admitted, or comes from a record of an older version.
func meaning(name string, c Candidate, candidates []Candidate) bool {
	if name == poolKey(c.NodeID, c.PoolID) {
		return true
	}
	return name == c.PoolID && len(carriers(candidates, name)) == 1
}

// avoided reports whether a hint keeps a task away from this pool. A bare pool_id
// avoids every pool of that id: to avoid too many gives no node another's tasks.
func avoided(avoid []string, c Candidate) bool {
	return slices.ContainsFunc(avoid, func(name string) bool { return name == c.PoolID || name == poolKey(c.NodeID, c.PoolID) })
}
