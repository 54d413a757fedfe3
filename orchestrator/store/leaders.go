package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// gatherLimit is how long a new holder of a lease waits for its streams before
	// it begins; each is handed over within a few milliseconds, or is without a
	// leader to do it. gatherEvery is how soon one that went astray is asked for.
	gatherLimit = 500 * time.Millisecond
	gatherEvery = 10 * time.Second
	gatherPause = 10 * time.Millisecond
)

// gather has this replica's own server lead the streams that the holder of a lease
// needs at every moment. The loss of another replica then costs no election of
// them, in which it could not renew the lease for longer than leaseHold, and would
// lose its running tasks. An existing cluster's leaders are for its operators.
func (s *Store) gather(ctx context.Context, streams ...string) {
	if s.srv == nil || !s.shared {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, gatherLimit)
	defer cancel()
	var asked sync.WaitGroup
	for _, name := range streams {
		asked.Go(func() {
			if err := s.lead(ctx, name); err != nil {
				s.log.Debug("the stream's leader stays", "stream", name, "error", err)
			}
		})
	}
	asked.Wait()
}

// lead returns when this replica leads the stream.
func (s *Store) lead(ctx context.Context, name string) error {
	stream, err := s.events.js.Stream(ctx, name)
	if err != nil {
		return err
	}
	if cluster := stream.CachedInfo().Cluster; cluster == nil || cluster.Leader == s.replica {
		return nil
	}
	body, err := json.Marshal(server.JSApiLeaderStepdownRequest{Placement: &server.Placement{Preferred: s.replica}})
	if err != nil {
		return fmt.Errorf("encoding the request: %w", err)
	}
	reply, err := s.conn.RequestWithContext(ctx, fmt.Sprintf(server.JSApiStreamLeaderStepDownT, name), body)
	if err != nil {
		return err
	}
	var answer server.JSApiStreamLeaderStepDownResponse
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return fmt.Errorf("decoding the answer: %w", err)
	}
	if answer.Error != nil {
		return errors.New(answer.Error.Description)
	}
	for ctx.Err() == nil {
		if info, err := stream.Info(ctx); err == nil && info.Cluster != nil && info.Cluster.Leader == s.replica {
			return nil
		}
		select {
		case <-time.After(gatherPause):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// reign runs held with the streams at hand. Records of events are appended without
// an answer and would be lost while their stream changes hands: it does so only
// when nobody is writing, and that is after a crash or a first start.
func (l *Lease) reign(ctx context.Context, before []byte, held func(context.Context, []byte)) {
	ctx, cancel := context.WithCancel(ctx)
	var tending sync.WaitGroup
	defer tending.Wait()
	defer cancel()
	streams := []string{bucketPrefix + Leases, bucketPrefix + Tasks}
	if before == nil {
		l.store.gather(ctx, append(streams, eventStream)...)
	}
	tending.Go(func() {
		ticker := time.NewTicker(gatherEvery)
		defer ticker.Stop()
		for {
			l.store.gather(ctx, streams...)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
	held(ctx, before)
}
