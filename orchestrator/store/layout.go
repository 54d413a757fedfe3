package store

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The buckets. Keys are chosen by this program or are UUIDs and digests, never
// a caller's free text.
const (
	Tasks       = "tasks"       // one record a task, until its retention ends
	Nodes       = "nodes"       // what nodes report and their tokens: memory only
	NodeOwners  = "node_owners" // which identity owns a node_id
	Sessions    = "sessions"
	Catalog     = "catalog"
	Artifacts   = "artifacts"
	Idempotency = "idempotency"
	Leases      = "leases" // who does what only one replica may do
)

const (
	// SessionTTL and IdempotencyTTL are api.md's and design.md's numbers.
	SessionTTL     = 10 * time.Minute
	IdempotencyTTL = 24 * time.Hour
	// nodesTTL is three missed heartbeats, and not below the 15 s under which
	// a cluster's expiry becomes unreliable.
	nodesTTL = 30 * time.Second
	// markerTTL is how long a deletion stays visible to watchers before the
	// marker itself goes, so that deleted keys do not fill the store.
	markerTTL = 30 * time.Second
)

// layout is every bucket with its limits. Their sum with the event stream stays
// below DefaultMaxStoreBytes, because JetStream reserves each one's MaxBytes.
var layout = []jetstream.KeyValueConfig{
	{Bucket: Tasks, MaxBytes: 1536 << 20, MaxValueSize: MaxRecordBytes, LimitMarkerTTL: markerTTL},
	{Bucket: Nodes, MaxBytes: 16 << 20, MaxValueSize: MaxRecordBytes, TTL: nodesTTL, LimitMarkerTTL: markerTTL, Storage: jetstream.MemoryStorage},
	{Bucket: NodeOwners, MaxBytes: 16 << 20, MaxValueSize: 4 << 10, LimitMarkerTTL: markerTTL},
	{Bucket: Sessions, MaxBytes: 128 << 20, MaxValueSize: 16 << 10, TTL: SessionTTL, LimitMarkerTTL: markerTTL},
	{Bucket: Catalog, MaxBytes: 128 << 20, MaxValueSize: MaxRecordBytes, LimitMarkerTTL: markerTTL},
	{Bucket: Artifacts, MaxBytes: 512 << 20, MaxValueSize: MaxRecordBytes, LimitMarkerTTL: markerTTL},
	{Bucket: Idempotency, MaxBytes: 128 << 20, MaxValueSize: 4 << 10, TTL: IdempotencyTTL}, // nobody watches it
	{Bucket: Leases, MaxBytes: 1 << 20, MaxValueSize: 64 << 10},
}
