package orchestrator

import "time"

// Policy is what happens to a task when the queue is full.
type Policy string

// The admission policies (ORCHD_ADMISSION_POLICY). Reject is the default: the
// newcomer gets 429. DropLRU lets a newcomer take the place of the oldest batch
// task of the identity with the most waiting; that one ends with QUEUE_DISPLACED.
const (
	Reject  Policy = "reject"
	DropLRU Policy = "drop-lru"
)

// Valid reports whether the policy is one of the two.
func (p Policy) Valid() bool { return p == Reject || p == DropLRU }

const (
	// shareNumerator and shareDenominator are the share of the queue that one identity
	// may fill while another is active: three quarters, so that the other is admitted.
	shareNumerator, shareDenominator = 3, 4
	// activeFor is how long an identity counts as active after it sent a task.
	activeFor = time.Minute
	// maxAsked bounds the identities whose last task is remembered: far more
	// than are active at one gateway within a minute.
	maxAsked = 4096
)

// refusal is why the queue takes no task.
type refusal int

const (
	granted  refusal = iota
	full             // the queue is
	overFair         // this identity has its share
)

// reserve takes capacity for one task of an identity, if there is any.
func (q *queue) reserve(owner string, now time.Time, share bool) refusal {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.note(owner, now)
	total, has := len(q.index)+q.pending, q.owners[owner]+q.reserved[owner]
	if total >= q.capacity {
		return full
	}
	if !admits(int64(q.capacity), int64(total), int64(has), 1) {
		return overFair
	}
	if share && has >= q.share() && q.others(owner, now) {
		return overFair
	}
	q.reserveLocked(owner)
	return granted
}

// share is how many tasks of one identity may wait while others are active.
func (q *queue) share() int { return max(1, q.capacity*shareNumerator/shareDenominator) }

func (q *queue) reserveLocked(owner string) {
	q.reserved[owner]++
	q.pending++
}

// release gives reserved capacity back.
func (q *queue) release(owner string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.releaseLocked(owner)
}

func (q *queue) releaseLocked(owner string) {
	q.pending--
	if q.reserved[owner]--; q.reserved[owner] <= 0 {
		delete(q.reserved, owner)
	}
}

// note records that an identity is active.
func (q *queue) note(owner string, now time.Time) {
	if _, known := q.asked[owner]; !known && len(q.asked) >= maxAsked {
		for other, at := range q.asked {
			if now.Sub(at) > activeFor {
				delete(q.asked, other)
			}
		}
		if len(q.asked) >= maxAsked {
			return
		}
	}
	q.asked[owner] = now
}

// others reports whether an identity but this one is active: it has waiting
// tasks, or has sent one within activeFor.
func (q *queue) others(owner string, now time.Time) bool {
	for other := range q.owners {
		if other != owner {
			return true
		}
	}
	for other, at := range q.asked {
		if other != owner && now.Sub(at) <= activeFor {
			return true
		}
	}
	return false
}

// displace frees capacity for a task of owner by taking out the oldest batch task of
// the identity that has the most tasks waiting, and reserves it. It takes none
// from an identity that has fewer tasks than owner, and never an interactive one.
func (q *queue) displace(owner string) (waiting, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, most := q.classes[Batch], ""
	for other := range batch.of {
		n, best := q.owners[other], q.owners[most]
		if most == "" || n > best || n == best && (other == owner || most != owner && other < most) {
			most = other
		}
	}
	if most == "" || most != owner && q.owners[most] < q.owners[owner] {
		return waiting{}, false
	}
	oldest := batch.of[most].Value.(*ownerQueue).tasks.Front().Value.(*item)
	w, ok := q.removeLocked(oldest.id)
	if ok {
		q.reserveLocked(owner)
	}
	return w, ok
}
