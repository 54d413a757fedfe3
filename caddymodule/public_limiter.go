package caddymodule

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// publicWait is how long a request waits for a slot before it is refused, so that a
	// page that loads a hundred small files at once gets all of them.
	publicWait = time.Second
	// waitingPerSlot bounds the requests of one client that wait, as a multiple of
	// its slots: 256 by default, more than one HTTP/2 connection has streams.
	waitingPerSlot = 16
	// waitingPerTotal bounds all waiting requests, as a multiple of all slots: 1,024 by
	// default.
	waitingPerTotal = 4
)

// publicLimiters holds the limiters of all guards, by the name that [guardList.add] gives
// a guard. It outlives a reload, and is bounded by the guards that the operator
// has configured since the start.
type publicLimiters struct {
	mu       sync.Mutex
	limiters map[string]*publicLimiter
}

// of returns a guard's limiter. The first call creates it.
func (t *publicLimiters) of(guard string) *publicLimiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	limiter := t.limiters[guard]
	if limiter == nil {
		limiter = newPublicLimiter()
		limiter.large = newPublicLimiter()
		if t.limiters == nil {
			t.limiters = map[string]*publicLimiter{}
		}
		t.limiters[guard] = limiter
	}
	return limiter
}

func newPublicLimiter() *publicLimiter {
	return &publicLimiter{held: map[netip.Addr]int{}, waiting: map[netip.Addr]int{}}
}

// publicLimiter counts the requests of public routes that one guard has let in. Both
// maps hold only clients with a request, so that the bounds on requests bound them.
type publicLimiter struct {
	mu      sync.Mutex
	total   int
	held    map[netip.Addr]int // slots by client
	waiting map[netip.Addr]int // requests in the queue by client
	queue   []*publicWaiter    // in order of arrival
	large   *publicLimiter     // for requests with a large body; nil in that one itself

	gathered atomic.Int64 // bytes of large bodies in memory
}

// publicWaiter is one request that waits for a slot.
type publicWaiter struct {
	client netip.Addr
	rule   publicRule
	slot   *publicSlot   // nil while it waits
	ready  chan struct{} // closed when slot is set
}

// acquire returns a slot. With wait it waits for one; without a slot it returns the
// limit that was reached.
func (l *publicLimiter) acquire(ctx context.Context, client netip.Addr, rule publicRule, wait bool) (slot *publicSlot, reached string) {
	l.mu.Lock()
	reached = l.reached(client, rule)
	if reached == "" {
		defer l.mu.Unlock()
		return l.occupy(client), ""
	}
	full := l.waiting[client] >= rule.inflight*waitingPerSlot || len(l.queue) >= rule.total*waitingPerTotal
	if !wait || full && rule.wait == 0 { // the slots bound the waiting large bodies, so their queue needs no bound
		defer l.mu.Unlock()
		return nil, reached
	}
	w := &publicWaiter{client: client, rule: rule, ready: make(chan struct{})}
	l.queue = append(l.queue, w)
	l.waiting[client]++
	l.mu.Unlock()

	timer := time.NewTimer(max(publicWait, rule.wait))
	defer timer.Stop()
	select {
	case <-w.ready:
		return w.slot, ""
	case <-timer.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.slot != nil { // it got the slot at the same moment
		return w.slot, ""
	}
	l.dequeue(slices.Index(l.queue, w))
	return nil, l.reachedOr(client, rule, reached)
}

// reached returns the limit that a client has reached, or "".
func (l *publicLimiter) reached(client netip.Addr, rule publicRule) string {
	switch {
	case l.held[client] >= rule.inflight:
		return limitPublicInflight
	case l.total >= rule.total:
		return limitPublicTotal
	}
	return ""
}

// reachedOr is [publicLimiter.reached], or what was reached before when the client has
// disconnected.
func (l *publicLimiter) reachedOr(client netip.Addr, rule publicRule, before string) string {
	if reached := l.reached(client, rule); reached != "" {
		return reached
	}
	return before
}

func (l *publicLimiter) occupy(client netip.Addr) *publicSlot {
	l.total++
	l.held[client]++
	return &publicSlot{limiter: l, client: client}
}

func (l *publicLimiter) dequeue(i int) {
	client := l.queue[i].client
	l.queue = slices.Delete(l.queue, i, i+1)
	if l.waiting[client]--; l.waiting[client] == 0 {
		delete(l.waiting, client)
	}
}

// vacate frees a slot and gives it to a waiting request: of the clients below their
// limit, to the one with the fewest slots, so that no client waits for another's queue.
func (l *publicLimiter) vacate(client netip.Addr) {
	l.total--
	if l.held[client]--; l.held[client] == 0 {
		delete(l.held, client)
	}
	for {
		next := -1
		for i, w := range l.queue {
			if l.reached(w.client, w.rule) == "" && (next < 0 || l.held[w.client] < l.held[l.queue[next].client]) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := l.queue[next]
		l.dequeue(next)
		w.slot = l.occupy(w.client)
		close(w.ready)
	}
}
