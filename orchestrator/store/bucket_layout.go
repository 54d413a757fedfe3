package store

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The buckets. Keys are chosen by this program or are UUIDs and digests, never
// a caller's free text.
const (
	Tasks       = "tasks"       // one record a task, until its retention ends
	NodeOwners  = "node_owners" // which identity owns a node_id
	Sessions    = "sessions"
	Catalog     = "catalog"
	Artifacts   = "artifacts"
	Idempotency = "idempotency"
	Leases      = "leases" // which replica is the leader
)

const (
	// SessionTTL is how long an unused session is kept, IdempotencyTTL how long a key
	// refers to its task.
	SessionTTL     = 10 * time.Minute
	IdempotencyTTL = 24 * time.Hour
	// markerTTL is how long a deletion stays visible to watchers before the
	// marker itself goes, so that deleted keys do not fill the store.
	markerTTL = 30 * time.Second
)

// bucket is a bucket with its limits.
type bucket struct {
	name         string
	maxBytes     int64 // JetStream reserves them, on each replica
	maxValueSize int32
	ttl          time.Duration // 0: for ever
	markers      bool          // watchers learn of deletions and expiries
}

// layout is every bucket. Their sum with the streams of events and keys stays below
// DefaultMaxStoreBytes.
var layout = []bucket{
	{name: Tasks, maxBytes: 1536 << 20, maxValueSize: MaxRecordBytes, markers: true},
	{name: NodeOwners, maxBytes: 16 << 20, maxValueSize: 4 << 10, markers: true},
	{name: Sessions, maxBytes: 128 << 20, maxValueSize: 16 << 10, ttl: SessionTTL, markers: true},
	{name: Catalog, maxBytes: 128 << 20, maxValueSize: MaxRecordBytes, markers: true},
	{name: Artifacts, maxBytes: 512 << 20, maxValueSize: MaxRecordBytes, markers: true},
	{name: Idempotency, maxBytes: 128 << 20, maxValueSize: 4 << 10, ttl: IdempotencyTTL}, // its watchers know when keys expire
	{name: Leases, maxBytes: 1 << 20, maxValueSize: 64 << 10},
}

const bucketPrefix = "KV_" // of the streams that are buckets

// streams names every stream there is.
func streams() []string {
	names := []string{eventStream, contentStream, keyStream}
	for _, b := range layout {
		names = append(names, bucketPrefix+b.name)
	}
	return names
}

// stream is the bucket as a stream. The client library would make the same one,
// but for AllowDirect: with replicas a direct read is answered by any of them,
// also by one that has not yet heard of what another has acknowledged.
func (b bucket) stream(replicas int) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: bucketPrefix + b.name, Subjects: []string{"$KV." + b.name + ".>"},
		MaxMsgsPerSubject: 1, MaxBytes: b.maxBytes, MaxAge: b.ttl, MaxMsgSize: b.maxValueSize, MaxMsgs: -1, MaxConsumers: -1,
		Replicas: replicas, AllowRollup: true, DenyDelete: true, AllowDirect: replicas == 1, Discard: jetstream.DiscardNew,
		Duplicates: duplicates,
	}
	if b.ttl > 0 {
		c.Duplicates = min(c.Duplicates, b.ttl)
	}
	if b.markers {
		c.AllowMsgTTL, c.SubjectDeleteMarkerTTL = true, markerTTL
	}
	return c
}

// duplicates is the client library's window for message ids, which we do not use.
const duplicates = 2 * time.Minute
