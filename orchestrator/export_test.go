package orchestrator

// Leads reports whether this replica schedules now.
func (o *Orchestrator) Leads() bool { return o.leading.Load() }

// Forget removes a task as the sweep does.
func (o *Orchestrator) Forget(id string) error { return o.forget(id) }

// Remembers counts what is held in memory for tasks.
func (o *Orchestrator) Remembers() (n int) {
	o.mu.Lock()
	n = len(o.tasks)
	o.mu.Unlock()
	count := func(any, any) bool { n++; return true }
	o.running.Range(count)
	o.fed.Range(count)
	return n + o.queue.depth(Interactive) + o.queue.depth(Batch) + o.queue.pending + int(o.stored.Total())
}
