package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// holding is a lease that we have.
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
	if !release {
		l.until.Store(int64(sent.Add(leaseHold).Sub(began)))
	}
	return holding{revision: revision, renewed: c.Renewed, sent: sent}, nil
}

// hold runs f while the lease is renewed.
func (l *Lease) hold(ctx context.Context, h holding, f func(context.Context)) {
	defer l.until.Store(0)
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); f(inner) }()
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-done:
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseRelease)
			defer cancel()
			_, _ = l.write(ctx, h, true) // if it fails, the next holder waits for its patience
			return
		case <-tick.C:
		}
		var ok bool
		if h, ok = l.renew(ctx, h); !ok {
			cancel()
			<-done
			return
		}
	}
}

// renew tries until the lease is renewed, somebody else's, or too old to come
// back. Who is cut off does not hope: the others go on without it.
func (l *Lease) renew(ctx context.Context, h holding) (holding, bool) {
	end := h.sent.Add(leaseDoubt)
	hopes := func() bool { return ctx.Err() == nil && l.store.linked() && time.Now().Before(end) }
	writing, cancel := context.WithDeadline(context.WithoutCancel(ctx), end)
	defer cancel()
	for time.Since(h.sent) < leaseHold || hopes() {
		once, cancel := context.WithTimeout(writing, leaseTry)
		next, err := l.write(once, h, false)
		cancel()
		if err == nil {
			return next, true
		}
		if errors.Is(err, ErrConflict) {
			// Ours, if only the acknowledgement of an earlier attempt was lost.
			e, err := l.bucket().Get(writing, l.name)
			var c claim
			if err == nil && (json.Unmarshal(e.Value, &c) != nil || c.Life != l.me || c.Released) {
				return h, false
			}
			if err == nil {
				h.revision, h.renewed = e.Revision, c.Renewed
				continue
			}
		}
		select {
		case <-time.After(askAgain):
		case <-writing.Done():
		}
	}
	return h, false
}
