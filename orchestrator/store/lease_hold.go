package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// holding is a lease that this replica holds.
type holding struct {
	revision uint64
	renewed  uint64
	sent     time.Time // when the last acknowledged renewal was sent
}

// write renews (or takes, or releases) the lease by compare-and-set.
func (l *Lease) write(ctx context.Context, h holding, release bool) (holding, error) {
	c := claim{Holder: l.store.Replica(), Life: l.me, Renewed: h.renewed + 1, Released: release}
	if release {
		c.Note = l.note()
	}
	value, err := json.Marshal(c)
	if err != nil {
		return h, fmt.Errorf("encoding lease %s: %w", l.name, err)
	}
	sent := time.Now()
	revision, err := l.bucket().Update(ctx, l.name, value, h.revision)
	if err != nil {
		return h, err
	}
	return holding{revision: revision, renewed: c.Renewed, sent: sent}, nil
}

// have sets until when the lease is held.
func (l *Lease) have(h holding) { l.until.Store(int64(h.sent.Add(leaseHold).Sub(began))) }

// hold runs f while the lease is renewed.
func (l *Lease) hold(ctx context.Context, h holding, f func(context.Context)) {
	defer l.until.Store(0)
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	running, done := context.WithCancel(context.WithoutCancel(ctx))
	go func() { defer done(); f(inner) }()
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-running.Done():
			l.release(context.WithoutCancel(ctx), h)
			return
		case <-tick.C:
		}
		var ok bool
		if h, ok = l.renew(running, h); !ok {
			l.until.Store(0)
			cancel()
			<-running.Done()
			return
		}
	}
}

// renew retries until the lease is renewed, is another replica's, has expired beyond
// leaseDoubt, or is no longer needed because the function that it is held for has
// returned. A replica without a quorum gives up: the others continue without it. One
// that was paused for long tries once.
func (l *Lease) renew(running context.Context, h holding) (holding, bool) {
	first := time.Now()
	end := h.sent.Add(leaseDoubt)
	if once := first.Add(leaseTry); end.Before(once) {
		end = once
	}
	writing, cancel := context.WithDeadline(running, end)
	defer cancel()
	hopes := func() bool { return l.store.ConnectedToQuorum() && time.Now().Before(end) }
	for time.Since(h.sent) < leaseHold || hopes() {
		limit := end
		if hold := h.sent.Add(leaseHold); time.Now().Before(hold) {
			limit = hold // then check whether the lease can still be renewed
		}
		once, cancel := context.WithDeadline(writing, limit)
		next, err := hedged(once, func(ctx context.Context) (holding, error) { return l.write(ctx, h, false) })
		if errors.Is(err, ErrConflict) {
			next, err = l.isOwnWrite(once, h, first)
		}
		cancel()
		if err == nil {
			l.have(next)
			return next, true
		}
		if errors.Is(err, errLost) {
			return h, false
		}
		select {
		case <-time.After(retryPause):
		case <-running.Done():
			return h, true
		}
	}
	return h, false
}

// errLost means that another replica has the lease.
var errLost = errors.New("lease lost")

// isOwnWrite checks, after a conflict, whether the conflicting claim is an own renewal,
// sent at that time or later, whose acknowledgement was lost or is late. Otherwise the
// error is errLost, or ErrUnavailable while this cannot be decided.
func (l *Lease) isOwnWrite(ctx context.Context, h holding, sent time.Time) (holding, error) {
	e, err := l.bucket().Get(ctx, l.name)
	if err != nil {
		return h, err
	}
	var c claim
	switch {
	case json.Unmarshal(e.Value, &c) != nil || c.Life != l.me || c.Released:
		return h, errLost
	case e.Revision <= h.revision: // it is on its way to the others' disks
		return h, ErrUnavailable
	}
	return holding{revision: e.Revision, renewed: c.Renewed, sent: sent}, nil
}

// release gives the lease back with its note. During an election no other replica can
// take it either, so with a note release retries for as long as renew does. If it
// fails, the next holder takes the lease after leasePatience.
func (l *Lease) release(ctx context.Context, h holding) {
	end := time.Now().Add(leaseRelease)
	if hope := h.sent.Add(leaseDoubt); len(l.note()) > 0 && hope.After(end) {
		end = hope
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	for ctx.Err() == nil {
		_, err := hedged(ctx, func(ctx context.Context) (holding, error) { return l.write(ctx, h, true) })
		if errors.Is(err, ErrConflict) {
			var known holding
			if known, err = l.isOwnWrite(ctx, h, h.sent); err == nil {
				h = known
				continue
			}
		}
		if err == nil || errors.Is(err, errLost) || errors.Is(err, nats.ErrConnectionClosed) {
			return
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
		}
	}
}

// hedged does f, and once more in parallel after each leaseTry without an answer: a
// request from before an election is never answered. The first answer counts.
func hedged[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, operationTimeout/leaseTry+1) // the first attempt ends before there are more
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		all.Go(func() {
			v, err := f(ctx)
			answers <- answer{v, err}
		})
		select {
		case a := <-answers:
			return a.v, a.err
		case <-time.After(leaseTry):
		}
	}
}
