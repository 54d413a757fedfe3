package orchestrator

import (
	"context"
	"regexp"
	"time"

	"github.com/google/uuid"

	"github.com/llorch/gateway/authmin"
)

// maxReplicas bounds the replicas that are remembered: one for each slot of a
// large fleet. One that is not registered again within forgetAfter is forgotten.
const maxReplicas = 4096

var replicaID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// Worker is a replica of a pool that something else than its pool manager runs.
type Worker struct {
	OK        bool   `json:"ok"`
	Identity  string `json:"identity"`
	PoolID    string `json:"pool_id"`
	ReplicaID string `json:"replica_id"`
}

// replicaKey has the pool as poolKey.
type replicaKey struct{ pool, replica string }

type replica struct {
	identity string
	seen     time.Time
}

// workers notes external replicas. They are shown, and never dispatched to: that
// needs a node with an address that was checked.
type workers struct {
	mu       mutex[lockWorkers]
	replicas map[replicaKey]replica
}

// RegisterWorker notes a replica of a known pool. Without a pool the only one
// there is is meant; without a replica id one is made.
func (o *Orchestrator) RegisterWorker(ctx context.Context, who Who, pool, id string) (Worker, error) {
	if all := o.nodes.candidates(); pool == "" && len(all) == 1 {
		pool = poolKey(all[0].NodeID, all[0].PoolID)
	}
	if !validPoolName(pool) {
		return Worker{}, fail(NotFound, "POOL_NOT_FOUND", "name a pool that a node has reported")
	}
	node, poolID, err := o.nodes.lookUpPool(pool)
	if err != nil {
		return Worker{}, err
	}
	setDefault(&id, uuid.NewString())
	if !replicaID.MatchString(id) {
		return Worker{}, fail(Invalid, "INVALID_WORKER", "replica_id is 1 to 64 of A-Z a-z 0-9 _ . - and begins with a letter or digit")
	}
	if err := o.workers.note(who, replicaKey{poolKey(node, poolID), id}, o.now()); err != nil {
		return Worker{}, err
	}
	o.log.InfoContext(ctx, "worker registered", "node_id", node, "pool_id", poolID, "replica_id", id, "identity", who.Identity,
		"correlation_id", authmin.CorrelationID(ctx))
	return Worker{OK: true, Identity: who.Identity, PoolID: poolID, ReplicaID: id}, nil
}

func (ws *workers) note(who Who, key replicaKey, now time.Time) error {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.forget(now)
	earlier, taken := ws.replicas[key]
	if taken && earlier.identity != who.Identity {
		return fail(Forbidden, "WORKER_OWNED", "another identity registered this replica_id first; choose another")
	}
	if !taken && !admits(maxReplicas, int64(len(ws.replicas)), ws.of(who.Identity), 1) {
		return fail(Busy, "TOO_MANY_WORKERS", "%d replicas may be registered in all, and yours fill your share, or all of them are", maxReplicas)
	}
	ws.replicas[key] = replica{who.Identity, now}
	return nil
}

// of counts the replicas that an identity has registered. mu is held.
func (ws *workers) of(identity string) (n int64) {
	for _, r := range ws.replicas {
		if r.identity == identity {
			n++
		}
	}
	return n
}

func (ws *workers) forget(now time.Time) {
	for key, r := range ws.replicas {
		if now.Sub(r.seen) > forgetAfter {
			delete(ws.replicas, key)
		}
	}
}

// count gives the replicas of a pool, which is named as by poolKey.
func (ws *workers) count(pool string, now time.Time) (n int) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.forget(now)
	for key := range ws.replicas {
		if key.pool == pool {
			n++
		}
	}
	return n
}
