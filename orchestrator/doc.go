// Package orchestrator takes tasks, keeps them, finds each one a pool, runs it
// there and tells whoever asks what happened.
//
// A task goes queue → placement → dispatch → events. It is acknowledged when
// its record has been fsynced, and from then on it is never lost: the queue is
// memory, rebuilt from the records. Every step of a task is a compare-and-set
// on its record; what the record says is what happened.
//
// Orchestrators that share a store are one to their callers. Each has all of it in
// memory, through watches, and takes tasks, cancels them and shows their events.
// One of them at a time, the holder of a lease, places and dispatches. When it is
// lost, the next one runs its tasks again, or, if somebody may have seen a token
// of theirs, ends them. Because each step is a compare-and-set, a scheduler that
// has lost its lease and does not know it yet does no harm. A single server is the
// same with a lease that is always held.
//
// The package is not the HTTP contract (httpapi), not the storage (store), and
// does not start engines (poolmanager does). It decides nothing about who a
// caller is: it is told an identity, and keeps identities apart.
//
//	o, err := orchestrator.New(ctx, orchestrator.Config{Store: st})
//	adm, err := o.Submit(ctx, orchestrator.Who{Identity: "ci"}, request, "")
//	r, err := o.Follow(orchestrator.Who{Identity: "ci"}, adm.TaskID, 0)
//	for events, err := r.Next(ctx); err == nil; events, err = r.Next(ctx) { … }
package orchestrator
