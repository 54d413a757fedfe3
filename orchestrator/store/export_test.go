package store

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Snapshot makes a replica write the snapshots that it would write in time: a
// test wants to see what is in them.
func (s *Store) Snapshot() error {
	if s.srv.JetStreamIsLeader() {
		if err := s.srv.JetStreamSnapshotMeta(); err != nil {
			return fmt.Errorf("snapshot of the cluster: %w", err)
		}
	}
	for _, name := range streams() {
		if s.srv.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, name) {
			if err := s.srv.JetStreamSnapshotStream(server.DEFAULT_GLOBAL_ACCOUNT, name); err != nil && !strings.Contains(err.Error(), "no snapshot available") {
				return fmt.Errorf("snapshot of %s: %w", name, err)
			}
		}
	}
	return nil
}

// Asked is the key that a replica writes before it takes a lease from another.
const Asked = probeKey

// ViewBy is a view that reaches the server another way than View's.
func (s *Store) ViewBy(ctx context.Context, replica string, way nats.InProcessConnProvider) (*Store, error) {
	return s.view(ctx, replica, way)
}

// InProcessConn is a way to the server.
func (s *Store) InProcessConn() (net.Conn, error) { return s.srv.InProcessConn() }

// Servers are those of an existing cluster that the client would speak to.
func (s *Store) Servers() []string { return s.conn.Servers() }

// JetStreamConfig is what the server runs with.
func (s *Store) JetStreamConfig() server.JetStreamConfig { return *s.srv.JetStreamConfig() }

// PublishAs publishes as another program on the same server might: under any name, or none.
func (p *Peers) PublishAs(from, topic string, body []byte) error {
	m := nats.NewMsg(peersPrefix + topic)
	if from != "" {
		m.Header.Set(senderHeader, from)
	}
	m.Data = body
	return p.conn.PublishMsg(m)
}

// StopWriting does to JetStream what a full disk does in a cluster.
func (s *Store) StopWriting() error {
	err := s.srv.ShutdownJetStream()
	s.faults <- struct{}{}
	return err
}

// Unwritable is why a server does not write.
var Unwritable = unwritable

// DropLeases removes the stream of the bucket of leases, and gives what makes it again.
func (s *Store) DropLeases(ctx context.Context) (restore func() error, err error) {
	js, err := jetstream.New(s.conn)
	if err != nil {
		return nil, err
	}
	stream, err := js.Stream(ctx, bucketPrefix+Leases)
	if err != nil {
		return nil, err
	}
	restore = func() error {
		_, err := js.CreateStream(ctx, stream.CachedInfo().Config)
		return err
	}
	return restore, js.DeleteStream(ctx, bucketPrefix+Leases)
}

// MakeLegacyNodes makes the bucket of nodes of earlier versions.
func (s *Store) MakeLegacyNodes(ctx context.Context) error {
	_, err := s.events.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: legacyNodes, Storage: jetstream.MemoryStorage, Replicas: s.replicas})
	return err
}

// HeartbeatInterval is that of leaders, NATSHeartbeat the server's default.
const (
	HeartbeatInterval = heartbeatInterval
	NATSHeartbeat     = time.Second
)

// LeaderHeard is when this replica last heard the leader of the cluster's own group; zero
// at the leader.
func (s *Store) LeaderHeard() (at time.Time) {
	node := raftNode(s.srv, metaGroup)
	if node.Leader() {
		return at
	}
	for _, p := range node.Peers() {
		if p.ID == node.GroupLeader() {
			at = p.Last
		}
	}
	return at
}

// KeyValue is a bucket as replicas of earlier versions, and the nats command, see it.
func (s *Store) KeyValue(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	return s.events.js.KeyValue(ctx, bucket)
}

// GatherTries is how often a leader is moved at most.
const GatherTries = gatherTries

// Gathered are the groups whose leaders are moved.
func Gathered() (names []string) {
	for _, name := range gathered() {
		names = append(names, strings.TrimPrefix(name, bucketPrefix))
	}
	return names
}
