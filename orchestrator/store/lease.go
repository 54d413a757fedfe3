package store

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// leaseRenew is how often the holder renews, leasePatience how long another
	// replica must have seen no renewal, and leaseHold how old, counted from when
	// it was sent, the holder's last acknowledged renewal may be. The difference
	// is the margin for clocks that run at different speeds. A machine that
	// is paused does not see time pass, and may believe itself the holder for up to
	// leaseHold after it goes on: what it writes is then refused, by compare-and-set.
	leaseRenew    = time.Second
	leasePatience = 5 * time.Second
	leaseHold     = 4 * time.Second
	// leaseDoubt is how long after its last renewal a holder that is well connected
	// still tries to renew, though it may do nothing meanwhile: an election of the
	// lease's stream takes up to 9 s in an existing NATS cluster, and keeps the others
	// from taking the lease as well. leaseTry bounds one attempt, which may never be
	// answered, and leaseGrace, which is longer, the time that the others leave it for that.
	leaseDoubt = 12 * time.Second
	leaseTry   = time.Second
	leaseGrace = 1500 * time.Millisecond
	// leaseRelease bounds giving the lease back at a stop.
	leaseRelease = 2 * time.Second
)

// Lease lets one replica at a time do something. It is not a lock that keeps
// others from writing: what the holder writes is a compare-and-set all the same.
type Lease struct {
	store *Store
	name  string
	note  func() []byte
	me    string // random, new at each start of the replica

	until atomic.Int64 // end of the lease, as a duration since began
}

// claim is the lease's value.
type claim struct {
	Holder   string `json:"holder"` // replica
	Life     string `json:"life"`   // differs after each start
	Renewed  uint64 `json:"renewed"`
	Released bool   `json:"released,omitempty"`
	Note     []byte `json:"note,omitempty"`
}

// Lease gives the lease of that name. note is called at a release and
// gives what the next holder gets; it may be nil. A single server holds its leases
// from the first call on, without any traffic.
func (s *Store) Lease(name string, note func() []byte) *Lease {
	if note == nil {
		note = func() []byte { return nil }
	}
	return &Lease{store: s, name: name, note: note, me: rand.Text()}
}

// Held reports whether this replica holds the lease now, by its own clock. It is
// therefore false in a process that was paused, even before it learns that it has lost
// the lease.
func (l *Lease) Held() bool {
	if !l.store.Shared() {
		return true
	}
	return time.Since(began) < time.Duration(l.until.Load())
}

// HeldSince reports whether this replica has renewed the lease since t: what it had seen
// of other replicas by then is not the work of a newer holder. A process that was paused may still see Held
// true; HeldSince is true only after its next renewal.
func (l *Lease) HeldSince(t time.Time) bool {
	if !l.store.Shared() {
		return true
	}
	sent := time.Duration(l.until.Load()) - leaseHold
	return l.Held() && sent > t.Sub(began)
}

// began anchors the monotonic clock: an absolute time would follow clock steps.
var began = time.Now()

// Run competes for the lease and calls held each time this replica has become
// its holder, with the note that the holder before left (nil after a crash). The
// ctx of held ends when the lease is lost or given up; Run waits until held has
// returned. While the lease cannot be renewed, because its stream has no leader,
// Held is false and ctx goes on: no other replica holds it either, and it comes back
// or is lost. When Run's own ctx ends, the lease is released with the note, so
// that the next holder begins at once. If held returns by itself, the lease is
// released as well, and then competed for again.
func (l *Lease) Run(ctx context.Context, held func(ctx context.Context, before []byte)) error {
	if !l.store.Shared() {
		held(ctx, nil)
		<-ctx.Done()
		return ctx.Err()
	}
	var watching sync.WaitGroup
	defer watching.Wait()
	seen := &leaseSightings{news: make(chan leaseSighting, 1)}
	watching.Go(func() { l.observe(ctx, seen.news) })
	for ctx.Err() == nil {
		before, h, err := l.acquire(ctx, seen)
		if err == nil {
			l.hold(ctx, h, func(ctx context.Context) { held(ctx, before) })
		}
		select { // lost a race, or the lease
		case <-time.After(retryPause):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (l *Lease) bucket() *Bucket { return l.store.Bucket(Leases) }
