package orchestrator

import (
	"context"
	"crypto/x509"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// maxOwned is how many node ids one identity may own, and maxOwners how
	// many there are in all: a node id is a record on disk until an
	// administrator deletes it.
	maxOwned  = 64
	maxOwners = 4 * MaxNodes
	// forgetAfter is when an offline node leaves the list.
	forgetAfter = time.Hour
	// returnWithin is how long after a start known nodes may take to register again:
	// until their next heartbeat, and 2 s for its 404 and the registration.
	returnWithin = HeartbeatInterval + 2*time.Second
)

var nodeID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,3}$`)

// nodes is the registry. What nodes report is memory: each replica has what nodes tell it
// and what the other replicas tell it by messages, so that no report needs a quorum. The
// owner of an id is a stored record. The last known nodes, without their tokens, are in a
// file of the state directory, see node_kept.go.
type nodes struct {
	timeout  time.Duration
	address  addressRule
	fallback func() authmin.Secret // POOL_MANAGER_TOKEN
	// authorities are those of the nodes' certificates; nil: the system's.
	authorities *x509.CertPool
	fallbacks   []string // node_addresses: the only ones that may get it
	owned       *store.Bucket
	peers       *nodePeers // nil: there is no other replica
	kept        keptNodes
	grants      ModelGrants
	log         *slog.Logger
	now         func() time.Time
	started     time.Time
	changed     func() // wakes the scheduler
	// version grows with each change that may make a task placeable.
	version atomic.Uint64

	mu     mutex[lockNodes]
	byID   map[string]*node
	order  []*node // by node id
	owners map[string]string
	// awaited are owned ids without a registration since the start.
	awaited map[string]bool
	// removed are the last removals of nodes, by id.
	removed map[string]removal
	// held are the heartbeats whose answer is held back, by node id; closing one ends it.
	held map[string]chan struct{}
}

func newNodes(c Config, changed func()) *nodes {
	ns := &nodes{
		timeout: c.NodeTimeout, address: addressRule{c.NodeNetworks, c.Resolver}, authorities: c.NodeCAs,
		fallback: c.PoolManagerToken, fallbacks: c.NodeAddresses, grants: c.NodeModels,
		owned: c.Store.Bucket(store.NodeOwners), log: c.Log, now: c.Now, started: c.Now(),
		byID: make(map[string]*node), owners: make(map[string]string), awaited: make(map[string]bool), removed: make(map[string]removal),
		held: make(map[string]chan struct{}),
	}
	ns.kept = newKeptNodes(c.Store)
	ns.changed = func() {
		ns.version.Add(1)
		changed()
	}
	ns.peers = newNodePeers(ns, c.Store)
	return ns
}

// register takes a node in, or takes over what a known one says now.
func (ns *nodes) register(ctx context.Context, who Who, r nodeapi.RegisterRequest) error {
	if !nodeID.MatchString(r.NodeID) {
		return fail(Invalid, "INVALID_NODE", "node_id must be 1 to 64 of A-Z a-z 0-9 _ - (and single dots)")
	}
	if !legible(r.MachineID, 256) || !legible(r.Version, 64) {
		return fail(Invalid, "INVALID_NODE", "machine_id or version is too long or not printable")
	}
	if err := checkCapabilities(r.Capabilities); err != nil {
		return err
	}
	if err := checkPools(r.Pools); err != nil {
		return err
	}
	if err := checkMemory(r.Pools, r.Capabilities); err != nil {
		return err
	}
	to, err := ns.address.check(ctx, r.Address)
	if err != nil {
		return &Error{Kind: Invalid, Code: "NODE_ADDRESS_REFUSED", Hint: err.Error()}
	}
	token, shared, err := ns.tokenFor(r.DispatchToken, to.base)
	if err != nil {
		return err
	}
	if err := ns.claim(ctx, who, r.NodeID); err != nil {
		return err
	}
	n := sharedNode{
		Owner: who.Identity, MachineID: r.MachineID, Address: to.base, Pin: to.pin, Version: r.Version, Capabilities: r.Capabilities,
		Pools: r.Pools, Token: token.Reveal(), SharedToken: shared,
	}
	if err := ns.introduce(r.NodeID, n); err != nil {
		return err
	}
	ns.log.InfoContext(ctx, "node_registered", "node_id", r.NodeID, "identity", who.Identity,
		"address", to.base, "pools", len(r.Pools), "correlation_id", authmin.CorrelationID(ctx))
	ns.tellWithheld(ctx, r.NodeID, who.Identity, r.Pools)
	ns.changed()
	return nil
}

// heartbeat takes over the state of a node's pools. The owner is checked before
// anything is said about the node.
func (ns *nodes) heartbeat(ctx context.Context, who Who, id string, h nodeapi.HeartbeatRequest) error {
	if err := checkPools(h.Pools); err != nil {
		return err
	}
	ns.peers.find(ctx, who, id)
	ns.mu.Lock()
	if owner, known := ns.owners[id]; known {
		if err := owns(owner, who); err != nil {
			ns.mu.Unlock()
			return err
		}
	}
	n := ns.byID[id]
	if n == nil || n.returning() {
		ns.mu.Unlock()
		return fail(NotFound, "NODE_NOT_FOUND", "register again")
	}
	said := n.said
	ns.mu.Unlock()
	if err := owns(said.Owner, who); err != nil {
		return err
	}
	now := ns.now()
	if off := h.Timestamp.Sub(now); off > replayWindow || off < -replayWindow {
		return fail(Conflict, "CLOCK_SKEW", "the timestamp is more than %s off; set the node's clock", replayWindow)
	}
	if !h.Timestamp.After(said.Stamp) {
		if said.Stamp.Sub(now) <= replayWindow {
			return staleHeartbeat()
		}
		said.Registered = said.Registered.Add(1) // the last stamp was made before the clocks were set back
	}
	said.Stamp, said.Pools = h.Timestamp, h.Pools
	return ns.report(id, said)
}

func staleHeartbeat() *Error {
	return fail(Conflict, "STALE_HEARTBEAT", "a heartbeat with this timestamp or a later one has been seen")
}

// remove takes a node out. An administrator's removal also frees the id.
func (ns *nodes) remove(ctx context.Context, who Who, id string) error {
	ns.peers.find(ctx, who, id)
	ns.mu.Lock()
	owner, known := ns.owners[id]
	n := ns.byID[id]
	ns.mu.Unlock()
	if !known || (n == nil && !who.Admin) {
		return fail(NotFound, "NODE_NOT_FOUND", "no such node")
	}
	if err := owns(owner, who); err != nil && !who.Admin {
		return err
	}
	if who.Admin {
		if err := ns.owned.Delete(ctx, id); err != nil {
			return err
		}
	}
	ns.withdraw(id)
	if who.Admin {
		ns.mu.Lock()
		delete(ns.owners, id)
		ns.mu.Unlock()
	}
	ns.log.InfoContext(ctx, "node_deregistered", "node_id", id, "identity", who.Identity,
		"correlation_id", authmin.CorrelationID(ctx))
	return nil
}

// list gives every node, by id, and forgets those that were offline for forgetAfter.
func (ns *nodes) list() []Node {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	now := ns.now()
	out := make([]Node, 0, len(ns.byID))
	for id, n := range ns.byID {
		if now.Sub(n.seen) > forgetAfter {
			ns.forget(id)
			continue
		}
		info := n.info
		info.State = n.state(now, ns.timeout)
		info.Pools = slices.Clone(info.Pools)
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b Node) int { return strings.Compare(a.NodeID, b.NodeID) })
	return out
}
