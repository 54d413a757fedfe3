package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// gatherTries bounds the moves of one stream in one leadership, and gatherPause is
	// the time between them: a leader that goes elsewhere again does so for a reason, and
	// each move drops the writes that are on their way.
	gatherTries = 5
	gatherPause = 2 * time.Second
	// gatherLag is how many operations behind a replica may be to lead: it has them before
	// the message that makes it the leader, which comes after them.
	gatherLag = 64
)

// gathered are the streams that an admission writes to, and the events.
func gathered() []string {
	return []string{bucketPrefix + Leases, bucketPrefix + Idempotency, bucketPrefix + Sessions, bucketPrefix + Tasks, eventStream}
}

// GatherLeaders moves the leaders of the streams that admissions need, and of the events,
// to this replica, and returns when they are there, after gatherTries of each, or with ctx.
// The holder of the scheduler's lease calls it: the loss of another replica then interrupts
// none of them. It does nothing where the servers are not embedded.
func (s *Store) GatherLeaders(ctx context.Context) {
	if s.srv == nil || s.invitations == nil {
		return
	}
	for try := 0; ; try++ {
		away := s.leadersAway()
		if len(away) == 0 {
			return
		}
		if try == gatherTries {
			s.log.Warn("leaders stay at other replicas", "streams", away)
			return
		}
		s.gather(ctx, away)
		select {
		case <-time.After(gatherPause):
		case <-ctx.Done():
			return
		}
	}
}

// leadersAway gives the streams that another replica leads, as far as this one knows.
func (s *Store) leadersAway() (away []string) {
	for _, name := range gathered() {
		if !s.srv.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, name) {
			away = append(away, name)
		}
	}
	return away
}

// gather moves the leaders once. This replica has to be ready to campaign before another
// one steps down: followers do not campaign else (see campaigns).
func (s *Store) gather(ctx context.Context, streams []string) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := s.inviteLeaders(ctx); err != nil {
		return
	}
	for _, name := range streams {
		if err := s.moveLeader(ctx, name); err != nil {
			s.log.Info("could not move leader", "stream", name, "error", err)
		} else {
			s.log.Info("moved leader", "stream", name, "to", s.replica)
		}
	}
}

var errBehind = errors.New("this replica is behind")

// moveLeader asks the stream's leader to hand over to this replica, if it has what the
// leader has.
func (s *Store) moveLeader(ctx context.Context, stream string) error {
	ctx, cancel := context.WithTimeout(ctx, quorumAnswer)
	defer cancel()
	answer, err := s.events.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	group := answer.CachedInfo().Cluster
	if group == nil || group.Leader == s.replica {
		return nil
	}
	for _, peer := range group.Replicas {
		if peer.Name == s.replica && !(peer.Current && peer.Lag <= gatherLag) {
			return errBehind
		}
	}
	request, err := json.Marshal(server.JSApiLeaderStepdownRequest{Placement: &server.Placement{Preferred: s.replica}})
	if err != nil {
		return fmt.Errorf("encoding request: %w", err)
	}
	m, err := s.conn.RequestWithContext(ctx, fmt.Sprintf(server.JSApiStreamLeaderStepDownT, stream), request)
	if err != nil {
		return err
	}
	var done struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &done); err != nil {
		return fmt.Errorf("decoding answer: %w", err)
	}
	if done.Error != nil {
		return done.Error
	}
	return nil
}

// inviteLeaders returns when this replica may campaign in all groups, which it may for
// handOverOpen: a leader that hands over names it as the next one.
func (s *Store) inviteLeaders(ctx context.Context) error {
	open := make(chan struct{})
	select {
	case s.invitations <- open:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
