package orchestrator

// interfere ends a dispatch here whose task another replica has taken, or that is
// canceled. e.mu is held, in enqueue and applyEnd as well.
func (o *Orchestrator) interfere(e *taskEntry) {
	if e.run == nil || e.stop == nil {
		return
	}
	switch t := e.task; {
	case t.State.Ended(), e.gone:
		e.stop(errEnded)
	case t.State == Running && t.runner != o.replica, t.State == Queued && e.run.applied:
		e.stop(errTaken)
	case t.cancelRequested:
		e.stop(errCanceled)
	}
}

// enqueue puts a waiting task into the queue, unless it is being dispatched.
func (o *Orchestrator) enqueue(e *taskEntry, reserved bool) {
	switch {
	case e.run != nil:
	case reserved:
		o.queue.push(e.waits)
	case o.tasks.loading != nil:
		o.tasks.loading = append(o.tasks.loading, e)
	default:
		o.queue.restore(e.waits, e.task.Attempt > 0)
	}
	o.scheduler.wake()
}

// applyEnd does what follows from an end that is on disk.
func (o *Orchestrator) applyEnd(e *taskEntry) {
	o.queue.remove(e.id)
	o.tasks.running.Delete(e.id)
	e.request, e.waits = nil, waiting{}
	o.interfere(e)
	if e.tail != nil {
		e.tail.finish(e.task.terminal(), e.task.lastBeforeEnd())
		if e.tail.owned() {
			o.tails.release(e)
		} else {
			e.tail = nil
		}
	}
	if e.done != nil {
		close(e.done)
		e.done = nil
	}
}

// waitEnd gives a channel that is closed when the task has ended.
func (e *taskEntry) waitEnd() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.task.State.Ended() {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	if e.done == nil {
		e.done = make(chan struct{})
	}
	return e.done
}
