package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// leaseRenew is how often the holder renews, leasePatience how long another
	// replica must have seen no renewal, and leaseHold how old, counted from when
	// it was sent, the holder's last acknowledged renewal may be. What is between
	// the two is the margin for clocks that run at different speeds. A machine that
	// is paused does not see time pass, and may believe itself the holder for up to
	// leaseHold after it goes on: what it writes is then refused, by compare-and-set.
	leaseRenew    = time.Second
	leasePatience = 5 * time.Second
	leaseHold     = 4 * time.Second
	// leaseRelease bounds giving the lease back at a stop.
	leaseRelease = 2 * time.Second
)

// Lease lets one replica at a time do something. It is not a lock that keeps
// others from writing: what the holder writes is a compare-and-set all the same.
type Lease struct {
	store *Store
	name  string
	note  func() []byte
	me    string // this life of this replica

	until atomic.Int64 // since began: it is held that long
}

// claim is the lease's value.
type claim struct {
	Holder   string `json:"holder"` // replica
	Life     string `json:"life"`   // differs after each start
	Renewed  uint64 `json:"renewed"`
	Released bool   `json:"released,omitempty"`
	Note     []byte `json:"note,omitempty"`
}

// Lease gives the lease of that name. note says, at the time of a release, what
// the next holder shall know; it may be nil. A single server holds its leases
// from the first call on, without any traffic.
func (s *Store) Lease(name string, note func() []byte) *Lease {
	if note == nil {
		note = func() []byte { return nil }
	}
	return &Lease{store: s, name: name, note: note, me: rand.Text()}
}

// Held reports whether this replica holds the lease now, by its own clock: also
// a process that was stopped for a while, and has not yet been told that it lost
// the lease, knows by this.
func (l *Lease) Held() bool {
	if !l.store.Shared() {
		return true
	}
	return time.Since(began) < time.Duration(l.until.Load())
}

// HeldSince reports whether the lease was still this replica's after t: what it
// knew by then of others' doings, no newer holder has done. A process that was
// paused may believe in Held; this it does not believe before it has renewed.
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
// returned. When Run's own ctx ends, the lease is released with the note, so
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
	seen := &sightings{news: make(chan sighting, 1)}
	watching.Go(func() { l.observe(ctx, seen.news) })
	for ctx.Err() == nil {
		before, h, err := l.acquire(ctx, seen)
		if err == nil {
			l.hold(ctx, h, func(ctx context.Context) { held(ctx, before) })
		}
		select { // lost a race, or the lease: what comes next is seen, or waited for
		case <-time.After(askAgain):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// sighting is a value of the lease; its revision is 0 when there is none.
type sighting struct {
	claim
	revision uint64
}

// sightings is what one replica has seen of the lease.
type sightings struct {
	news chan sighting
	last sighting
	at   time.Time // when the last one was seen first; zero: nothing was seen yet
}

func (s *sightings) take(n sighting) {
	if s.at.IsZero() || n.revision > s.last.revision { // a repeat is not a renewal
		s.last, s.at = n, time.Now()
	}
}

func (s *sightings) free() bool {
	return !s.at.IsZero() && (s.last.revision == 0 || s.last.Released || time.Since(s.at) >= leasePatience)
}

// observe reports each change of the lease; a newer one replaces an unread one.
func (l *Lease) observe(ctx context.Context, news chan sighting) {
	found := false
	_ = l.bucket().Watch(ctx, nil, func(e Entry) {
		s := sighting{revision: e.Revision}
		switch {
		case e.Key == l.name:
			found = true
			_ = json.Unmarshal(e.Value, &s.claim) // what cannot be read is not renewed either
		case e.Key != "" || found:
			return
		}
		select {
		case <-news:
		default:
		}
		news <- s // the only sender, and there is room
	})
}

// look reads the lease itself, instead of waiting for the watch to tell.
func (l *Lease) look(ctx context.Context, seen *sightings) {
	e, err := l.bucket().Get(ctx, l.name)
	if err != nil {
		return
	}
	s := sighting{revision: e.Revision}
	_ = json.Unmarshal(e.Value, &s.claim)
	seen.take(s)
}

func (l *Lease) bucket() *Bucket { return l.store.Bucket(Leases) }

// acquire waits until the lease is free, or nobody has renewed it for long
// enough, and tries to take it.
func (l *Lease) acquire(ctx context.Context, seen *sightings) (before []byte, h holding, err error) {
	for !seen.free() {
		select {
		case n := <-seen.news:
			seen.take(n)
		case <-time.After(leasePatience / 10):
		case <-ctx.Done():
			return nil, h, ctx.Err()
		}
	}
	last := seen.last
	if h, err = l.write(ctx, holding{revision: last.revision, renewed: last.Renewed}, false); err != nil {
		if errors.Is(err, ErrConflict) { // the watch is behind, or feeds on a replica that is cut off
			l.look(ctx, seen)
		}
		return nil, h, err
	}
	if last.Released {
		before = last.Note
	}
	return before, h, nil
}
