package orchestrator

import (
	"slices"
	"time"
)

// maxEnded is how many ended tasks are kept for all identities. With the capacity of
// the queue and the running tasks it bounds what each replica has in memory: at 2 KiB
// each, 200 MiB.
const maxEnded = 100_000

// retention is for how long and how many ended tasks are kept.
type retention struct {
	age  time.Duration
	each int // of one identity
	all  int
}

// surplus names the ended tasks that are to be forgotten: the old ones; the oldest of
// each identity that has too many; and then, while all together are too many, the
// oldest of the identity that has most. ended is in the order of the ends.
func (k retention) surplus(ended []Task, now time.Time) (ids []string) {
	counts, total := map[string]int{}, 0
	byOwner := map[string][]Task{}
	for _, t := range ended {
		if now.Sub(*t.EndedAt) >= k.age {
			ids = append(ids, t.TaskID)
			continue
		}
		byOwner[t.Owner] = append(byOwner[t.Owner], t)
		counts[t.Owner]++
		total++
	}
	forget := func(owner string) {
		ids, byOwner[owner] = append(ids, byOwner[owner][0].TaskID), byOwner[owner][1:]
		counts[owner]--
		total--
	}
	for owner := range counts {
		for counts[owner] > k.each {
			forget(owner)
		}
	}
	for total > k.all {
		forget(largest(counts))
	}
	return ids
}

// sweep forgets ended tasks that are old or too many.
func (o *Orchestrator) sweep() {
	var ended []Task
	for _, t := range o.tasks.visible(Who{Admin: true}, "") {
		if t.State.Ended() {
			ended = append(ended, t)
		}
	}
	slices.SortFunc(ended, func(a, b Task) int { return a.EndedAt.Compare(*b.EndedAt) })
	o.content.sweep()
	o.content.sweepKeys()
	o.content.eraseAnswers(ended)
	for _, id := range o.retention.surplus(ended, o.now()) {
		if err := o.forget(id); err != nil {
			o.log.Warn("could not delete ended task", "task_id", id, "error", err)
			return
		}
	}
}
