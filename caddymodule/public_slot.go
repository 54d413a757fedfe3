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
	// publicWait is how long a request waits for a place before it is refused: a
	// page that loads a hundred small files at once gets all of them.
	publicWait = time.Second
	// waitingPerPlace bounds the requests of one client that wait, as a multiple of
	// its places: 256 by default, more than one HTTP/2 connection has streams.
	waitingPerPlace = 16
	// waitingPerTotal bounds all that wait, as a multiple of all places: 1,024 by
	// default.
	waitingPerTotal = 4
)

// doorTable holds the doors of all guards, by the name that [guardList.add] gives
// a guard. It outlives a reload, and is bounded by the guards that the operator
// has configured since the start.
type doorTable struct {
	mu    sync.Mutex
	doors map[string]*publicDoor
}

// of returns a guard's door.
func (t *doorTable) of(guard string) *publicDoor {
	t.mu.Lock()
	defer t.mu.Unlock()
	door := t.doors[guard]
	if door == nil {
		door = newPublicDoor()
		door.large = newPublicDoor()
		if t.doors == nil {
			t.doors = map[string]*publicDoor{}
		}
		t.doors[guard] = door
	}
	return door
}

func newPublicDoor() *publicDoor {
	return &publicDoor{held: map[netip.Addr]int{}, waiting: map[netip.Addr]int{}}
}

// publicDoor counts the requests of strangers that one guard has let in. Both maps
// hold only clients with a request, so that the bounds on requests bound them.
type publicDoor struct {
	mu      sync.Mutex
	total   int
	held    map[netip.Addr]int // places by client
	waiting map[netip.Addr]int // requests in the queue by client
	queue   []*publicWaiter    // in the order in which they came
	large   *publicDoor        // for those of them whose body is large; nil in that one itself

	gathered atomic.Int64 // bytes of large bodies in memory
}

// publicWaiter is one request that waits for a place.
type publicWaiter struct {
	client netip.Addr
	rule   publicRule
	place  *publicPlace  // once it has one
	called chan struct{} // closed then
}

// publicPlace is a stranger's place. It is given back when the upstream's answer
// has begun and the whole body has been read, or with the request.
type publicPlace struct {
	door     *publicDoor
	client   netip.Addr
	answered bool
	received bool
	late     bool // the body did not come in time
	left     bool
	large    *publicPlace // among the large bodies; nil for a small one
	gathered int64        // bytes of its body in memory, beyond publicBuffer
}

// enter takes a place, waiting for one if it may. Without one it names the bound
// that was reached.
func (o *publicDoor) enter(ctx context.Context, client netip.Addr, rule publicRule, wait bool) (place *publicPlace, reached string) {
	o.mu.Lock()
	reached = o.reached(client, rule)
	if reached == "" {
		defer o.mu.Unlock()
		return o.take(client), ""
	}
	full := o.waiting[client] >= rule.inflight*waitingPerPlace || len(o.queue) >= rule.total*waitingPerTotal
	if !wait || full && rule.wait == 0 { // what may wait for longer has a place that bounds it
		defer o.mu.Unlock()
		return nil, reached
	}
	w := &publicWaiter{client: client, rule: rule, called: make(chan struct{})}
	o.queue = append(o.queue, w)
	o.waiting[client]++
	o.mu.Unlock()

	timer := time.NewTimer(max(publicWait, rule.wait))
	defer timer.Stop()
	select {
	case <-w.called:
		return w.place, ""
	case <-timer.C:
	case <-ctx.Done():
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if w.place != nil { // called in this moment
		return w.place, ""
	}
	o.dequeue(slices.Index(o.queue, w))
	return nil, o.reachedOr(client, rule, reached)
}

// reached names the bound that keeps a client out, and is empty when none does.
func (o *publicDoor) reached(client netip.Addr, rule publicRule) string {
	switch {
	case o.held[client] >= rule.inflight:
		return limitPublicInflight
	case o.total >= rule.total:
		return limitPublicTotal
	}
	return ""
}

// reachedOr is [publicDoor.reached], with what was reached before for a request
// whose client has gone.
func (o *publicDoor) reachedOr(client netip.Addr, rule publicRule, before string) string {
	if reached := o.reached(client, rule); reached != "" {
		return reached
	}
	return before
}

func (o *publicDoor) take(client netip.Addr) *publicPlace {
	o.total++
	o.held[client]++
	return &publicPlace{door: o, client: client}
}

func (o *publicDoor) dequeue(i int) {
	client := o.queue[i].client
	o.queue = slices.Delete(o.queue, i, i+1)
	if o.waiting[client]--; o.waiting[client] == 0 {
		delete(o.waiting, client)
	}
}

// give takes a place back and calls those that wait: of the clients that may come
// in, the one with the fewest places first, so that none waits for another's queue.
func (o *publicDoor) give(client netip.Addr) {
	o.total--
	if o.held[client]--; o.held[client] == 0 {
		delete(o.held, client)
	}
	for {
		next := -1
		for i, w := range o.queue {
			if o.reached(w.client, w.rule) == "" && (next < 0 || o.held[w.client] < o.held[o.queue[next].client]) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := o.queue[next]
		o.dequeue(next)
		w.place = o.take(w.client)
		close(w.called)
	}
}

// answerBegins notes that the upstream has begun to answer.
func (p *publicPlace) answerBegins() {
	p.door.mu.Lock()
	defer p.door.mu.Unlock()
	p.answered = true
	p.leaveIf(p.received)
}

// bodyEnds notes that no more of the body is waited for.
func (p *publicPlace) bodyEnds() {
	p.large.leave()
	p.door.mu.Lock()
	defer p.door.mu.Unlock()
	p.received = true
	p.leaveIf(p.answered)
}

// bodyIsLate notes that the body did not come in time.
func (p *publicPlace) bodyIsLate() {
	p.door.mu.Lock()
	defer p.door.mu.Unlock()
	p.late = true
}

func (p *publicPlace) wasLate() bool {
	p.door.mu.Lock()
	defer p.door.mu.Unlock()
	return p.late
}

// leave gives the place back, if that has not been done. A nil place is none.
func (p *publicPlace) leave() {
	if p == nil {
		return
	}
	p.large.leave()
	p.giveMemory()
	p.door.mu.Lock()
	defer p.door.mu.Unlock()
	p.leaveIf(true)
}

func (p *publicPlace) leaveIf(done bool) {
	if !done || p.left {
		return
	}
	p.left = true
	p.door.give(p.client)
}
