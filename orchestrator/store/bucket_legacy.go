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
	kv, err := s.events.js.KeyValue(ctx, legacyNodes)
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("opening bucket %s: %w", legacyNodes, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("opening bucket %s: %w", legacyNodes, explain(err))
	}
	return &Bucket{js: s.events.js, kv: kv, shutdowns: s.shutdowns, reach: s.reach(), markers: true}, nil
}
