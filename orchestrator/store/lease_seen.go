package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// sighting is a value of the lease; its revision is 0 when there is none.
type sighting struct {
	claim
	revision uint64
}

// sightings is what one replica has seen of the lease.
type sightings struct {
	news   chan sighting
	last   sighting
	at     time.Time // when the last one was seen first; zero: nothing was seen yet
	spared uint64    // the revision whose holder was left its grace
	note   []byte    // what the last holder has left, until we are the next one
}

func (s *sightings) take(n sighting) {
	if s.at.IsZero() || n.revision > s.last.revision { // a repeat is not a renewal
		s.last, s.at = n, time.Now()
	}
}

// vacant reports whether nobody claims the lease, or only who asks: it has not heard
// that it was given the lease, or has let it go without being able to say so.
func (s *sightings) vacant(me string) bool {
	return !s.at.IsZero() && (s.last.revision == 0 || s.last.Released || s.last.Life == me)
}

// silent reports whether its holder has not renewed it for that long.
func (s *sightings) silent(d time.Duration) bool { return !s.at.IsZero() && time.Since(s.at) >= d }

// await takes what comes next, if anything comes that soon.
func (s *sightings) await(ctx context.Context, d time.Duration) error {
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

// acquire waits until the lease is free, or nobody has renewed it for long enough
// though it could have been renewed, and tries to take it.
func (l *Lease) acquire(ctx context.Context, seen *sightings) (before []byte, h holding, err error) {
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
			l.look(ctx, seen)
		}
		return nil, h, err
	}
	l.have(h)
	before, seen.note = seen.note, nil
	return before, h, nil
}

// asked is the key by which a replica finds out whether leases can be written.
const asked = "asked"

// leaveGrace leaves the holder the time to renew from when leases can be written:
// it may have waited for that as we have.
func (l *Lease) leaveGrace(ctx context.Context, seen *sightings) error {
	revision := seen.last.revision
	_, err := insist(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, l.bucket().Put(ctx, asked, nil) })
	if err != nil {
		return err
	}
	for end := time.Now().Add(leaseGrace); time.Now().Before(end) && seen.last.revision == revision; {
		if err := seen.await(ctx, time.Until(end)); err != nil {
			return err
		}
	}
	l.look(ctx, seen)
	seen.spared = revision
	return nil
}
