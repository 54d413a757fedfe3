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
