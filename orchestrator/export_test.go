package orchestrator

import (
	"context"
	"time"
)

// Leads reports whether this replica schedules now.
func (o *Orchestrator) Leads() bool { return o.scheduler.leading.Load() }

// Forget removes a task as the sweep does.
func (o *Orchestrator) Forget(id string) error { return o.forget(id) }

// Remembers counts what is held in memory for tasks.
func (o *Orchestrator) Remembers() (n int) {
	o.tasks.mu.Lock()
	n = len(o.tasks.byID)
	o.tasks.mu.Unlock()
	count := func(any, any) bool { n++; return true }
	o.tasks.running.Range(count)
	o.tails.fed.Range(count)
	return n + o.queue.depth(Interactive) + o.queue.depth(Batch) + o.queue.pending + int(o.tasks.bytes.Total())
}

// found is find for a task that the test knows to be there, or not.
func (o *Orchestrator) found(who Who, id string) *taskEntry {
	e, _ := o.find(who, id)
	return e
}

// CompactEvery shortens the time between two compactions of the keys.
func (s *Settings) CompactEvery(d time.Duration) { s.compactPause = d }

// Seals reports whether content is encrypted.
func (o *Orchestrator) Seals() bool { return o.seals.on.Load() }

// Sweep is what the leader does from time to time.
func (o *Orchestrator) Sweep() { o.sweep() }

// KeyOf is the key of what a task contains.
func (o *Orchestrator) KeyOf(ctx context.Context, id string) ([]byte, error) {
	return o.store.Keys().Key(ctx, o.found(Who{Admin: true}, id).view().content.Key)
}
