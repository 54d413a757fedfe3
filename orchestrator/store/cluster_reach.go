package store

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// cutOff is how long a write waits for connections to the others to come back.
const cutOff = time.Second

// reach tells whether this replica is connected to enough others for a quorum. A
// nil one always is: it is alone, or its state is elsewhere.
type reach struct {
	srv    *server.Server
	others int // that a quorum needs besides this one
}

func (s *Store) reach() *reach {
	if s.srv == nil || !s.shared {
		return nil
	}
	return &reach{srv: s.srv, others: s.replicas / 2}
}

// linked reports whether this replica speaks to a quorum, or to the existing
// cluster, now.
func (s *Store) linked() bool {
	r := s.reach()
	return s.conn.IsConnected() && (r == nil || r.srv.NumRemotes() >= r.others)
}

// errCutOff ends a write that was sent before the connections broke.
var errCutOff = fmt.Errorf("too few other replicas are connected: %w", ErrUnavailable)

// during gives up, after cutOff, a request whose way has broken meanwhile.
func (r *reach) during(ctx context.Context) (context.Context, func()) {
	if r == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(cutOff, func() {
		if r.srv.NumRemotes() < r.others {
			cancel(errCutOff)
		}
	})
	return ctx, func() { timer.Stop(); cancel(nil) }
}

// wait returns when a quorum is connected; ErrUnavailable if that takes long.
func (r *reach) wait(ctx context.Context) error {
	if r == nil {
		return nil
	}
	for end := time.Now().Add(cutOff); r.srv.NumRemotes() < r.others; {
		if time.Now().After(end) {
			return fmt.Errorf("connected to %d other replicas, %d are needed: %w", r.srv.NumRemotes(), r.others, ErrUnavailable)
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
