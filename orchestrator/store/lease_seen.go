package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// leaseSighting is a value of the lease; its revision is 0 when there is none.
type leaseSighting struct {
	claim
	revision uint64
}

// leaseSightings is what one replica has seen of the lease.
type leaseSightings struct {
	news   chan leaseSighting
	last   leaseSighting
	at     time.Time // when the last one was seen first; zero: nothing was seen yet
	spared uint64    // the revision whose holder got its grace period
	note   []byte    // of the last holder, until this replica is the next one
}

func (s *leaseSightings) take(n leaseSighting) {
	if s.at.IsZero() || n.revision > s.last.revision { // a repeat is not a renewal
		s.last, s.at = n, time.Now()
	}
}

// vacant reports whether no other replica claims the lease. An own claim is one
// whose acknowledgement was lost, or that could not be released.
func (s *leaseSightings) vacant(me string) bool {
	return !s.at.IsZero() && (s.last.revision == 0 || s.last.Released || s.last.Life == me)
}

// silent reports whether the holder has not renewed the lease for that long.
func (s *leaseSightings) silent(d time.Duration) bool { return !s.at.IsZero() && time.Since(s.at) >= d }

// await takes the next sighting, if one comes within d.
func (s *leaseSightings) await(ctx context.Context, d time.Duration) error {
	select {
	case n := <-s.news:
		s.take(n)
	case <-time.After(d):
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// observe reports each change of the lease; a newer one replaces an unread one.
func (l *Lease) observe(ctx context.Context, news chan leaseSighting) {
	found := false
	_ = l.bucket().Watch(ctx, nil, func(e Entry) {
		s := leaseSighting{revision: e.Revision}
		switch {
		case e.Key == l.name:
			found = true
			_ = json.Unmarshal(e.Value, &s.claim) // an unreadable claim is not a renewal
		case e.Key != "" || found:
			return
		}
		select {
		case <-news:
		default:
		}
		news <- s // the only sender, and the channel is empty
	})
}

// reread reads the lease itself, instead of waiting for the watch.
func (l *Lease) reread(ctx context.Context, seen *leaseSightings) {
	e, err := l.bucket().Get(ctx, l.name)
	if err != nil {
		return
	}
	s := leaseSighting{revision: e.Revision}
	_ = json.Unmarshal(e.Value, &s.claim)
	seen.take(s)
}

// acquire waits until the lease is free, or has expired although the store was
// available, and tries to take it.
func (l *Lease) acquire(ctx context.Context, seen *leaseSightings) (before []byte, h holding, err error) {
	for !seen.vacant(l.me) && !(seen.silent(leasePatience) && seen.spared == seen.last.revision) {
		if seen.silent(leasePatience-leaseGrace) && seen.spared != seen.last.revision {
			err = l.leaveGrace(ctx, seen)
		} else {
			err = seen.await(ctx, leasePatience/10)
		}
		if err != nil {
			return nil, h, err
		}
	}
	last := seen.last
	switch {
	case last.Released:
		seen.note = last.Note
	case last.Life != l.me:
		seen.note = nil
	}
	if h, err = l.write(ctx, holding{revision: last.revision, renewed: last.Renewed}, false); err != nil {
		seen.spared = 0
		if errors.Is(err, ErrConflict) { // the watch is behind, or feeds on a replica that is cut off
			l.reread(ctx, seen)
		}
		return nil, h, err
	}
	l.have(h)
	before, seen.note = seen.note, nil
	return before, h, nil
}

// probeKey is written to find out whether leases can be written.
const probeKey = "asked"

// leaveGrace gives the holder time to renew, from the moment when leases can be
// written again: the holder may have waited for that as well.
func (l *Lease) leaveGrace(ctx context.Context, seen *leaseSightings) error {
	revision := seen.last.revision
	_, err := hedged(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, l.bucket().Put(ctx, probeKey, nil) })
	if err != nil {
		return err
	}
	for end := time.Now().Add(leaseGrace); time.Now().Before(end) && seen.last.revision == revision; {
		if err := seen.await(ctx, time.Until(end)); err != nil {
			return err
		}
	}
	l.reread(ctx, seen)
	seen.spared = revision
	return nil
}
