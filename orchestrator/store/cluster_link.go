package store

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// linkTimeout is how long a write waits for connections to the others to come back.
const linkTimeout = time.Second

// quorumLink tells whether this replica is connected to a quorum. A nil one always
// is: the server is alone, or the state is in an external cluster.
type quorumLink struct {
	srv    *server.Server
	others int // that a quorum needs besides this one
}

func (s *Store) reach() *quorumLink {
	if s.srv == nil || !s.shared {
		return nil
	}
	return &quorumLink{srv: s.srv, others: s.replicas / 2}
}

// ConnectedToQuorum reports whether this replica is connected to a quorum, or to the
// external cluster, now.
func (s *Store) ConnectedToQuorum() bool {
	r := s.reach()
	return s.conn.IsConnected() && (r == nil || r.srv.NumRemotes() >= r.others)
}

// errLinkDown ends a write that was sent before the connections broke.
var errLinkDown = fmt.Errorf("too few other replicas are connected: %w", ErrUnavailable)

// during cancels a request, after linkTimeout, when the link to the quorum broke.
func (r *quorumLink) during(ctx context.Context) (context.Context, func()) {
	if r == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(linkTimeout, func() {
		if r.srv.NumRemotes() < r.others {
			cancel(errLinkDown)
		}
	})
	return ctx, func() { timer.Stop(); cancel(nil) }
}

// wait returns when a quorum is connected; ErrUnavailable after linkTimeout.
func (r *quorumLink) wait(ctx context.Context) error {
	if r == nil {
		return nil
	}
	for end := time.Now().Add(linkTimeout); r.srv.NumRemotes() < r.others; {
		if time.Now().After(end) {
			return fmt.Errorf("connected to %d other replicas, %d are needed: %w", r.srv.NumRemotes(), r.others, ErrUnavailable)
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
