package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// legacyNodes is the bucket in memory in which replicas of earlier versions keep what nodes
// report. They create it; this version only uses it while such a replica is there.
const legacyNodes = "nodes"

// LegacyNodes opens the bucket of nodes of earlier versions; ErrNotFound when it does not
// exist. It may be without a leader.
func (s *Store) LegacyNodes(ctx context.Context) (*Bucket, error) {
	b, err := s.openBucket(ctx, s.events.js, bucket{name: legacyNodes, markers: true}.keyspace())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = fmt.Errorf("opening bucket %s: %w", legacyNodes, ErrNotFound)
	}
	return b, explain(err)
}
