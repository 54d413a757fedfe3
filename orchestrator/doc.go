// Package orchestrator takes tasks, keeps them, finds each one a pool, runs it
// there and tells whoever asks what happened.
//
// A task goes queue → placement → dispatch → events. It is acknowledged when
// its record has been fsynced, and from then on it is never lost: the queue is
// memory, rebuilt from the records. Every step of a task is a compare-and-set
// on its record; what the record says is what happened.
//
// The package is not the HTTP contract (httpapi), not the storage (store), and
// does not start engines (poolmanager does). It decides nothing about who a
// caller is: it is told an identity, and keeps identities apart.
//
//	o, err := orchestrator.New(ctx, orchestrator.Config{Store: st})
//	adm, err := o.Submit(ctx, orchestrator.Who{Identity: "ci"}, request, "")
//	r, err := o.Follow(ctx, orchestrator.Who{Identity: "ci"}, adm.TaskID, 0)
//	for events, err := r.Next(ctx); err == nil; events, err = r.Next(ctx) { … }
package orchestrator
