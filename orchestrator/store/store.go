// Package store is the orchestrator's durable state: an embedded JetStream server in
// this process, key-value buckets with compare-and-set, and one stream of task events.
//
// It is not a general database. It knows bytes, keys and revisions; what the
// bytes mean belongs to package orchestrator. The only client is this process,
// over an in-memory connection; a single server opens no port at all, and one of
// a cluster opens the port on which it speaks to the other replicas (Cluster).
//
// What has been acknowledged by a bucket has been fsynced (SyncAlways), in a
// cluster by most replicas. The event stream is asynchronous on purpose: how a
// task ended is a record in a bucket, the events are the copy that makes
// resuming possible.
//
// Each lock of the package guards one thing and is released before any other is taken.
//
// # Files
//
//	bucket_     keys, values and revisions; watching them; which buckets there are
//	peers       messages between replicas, without a quorum
//	event_      the stream of task events
//	content     bodies that are too large for a record, in pieces
//	keys_       keys of encrypted content; destroying them, everywhere
//	seals       whether every replica can read encrypted content
//	lease_      leases: one holder at a time, renewed by compare-and-set
//	cluster_    embedded servers of several replicas: routes, TLS, quorum, shutdown
//	external    an existing NATS cluster instead
//	server_     the embedded server
//	dir_        the state directory: its lock, its marker, its free space, files beside
//	            the buckets, and writing again after a full disk
//	copy_       moving state between a single server and a cluster
//	store_      opening and closing; a view for tests
//
// # Use
//
// The example of the package makes a record and changes it by compare-and-set.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// DefaultMaxStoreBytes bounds the state directory: the sum of the buckets'
	// and the event stream's limits (see bucket_layout.go) with room to spare, and
	// the bodies.
	DefaultMaxStoreBytes = 4<<30 + DefaultContentBytes
	// DefaultMaxMemoryBytes bounds JetStream's memory storage, which only a bucket of
	// earlier versions uses. Zero would mean "75 % of the machine" to JetStream.
	DefaultMaxMemoryBytes = 64 << 20
	// MaxRecordBytes is the largest value of a bucket: a request body of 1 MiB
	// and the record around it.
	MaxRecordBytes = 1<<20 + 256<<10
	// maxPayload is the server's limit for one message: a record and its headers.
	maxPayload = MaxRecordBytes + 64<<10
	// soleReplica is the name of a server that is alone.
	soleReplica = "orchestrator"
	// startTimeout covers the recovery of a full state directory.
	startTimeout = 30 * time.Second
	// requestTimeout bounds a JetStream request whose context has no deadline.
	requestTimeout = 5 * time.Second
)

// ErrLocked is returned by Open when another process holds the directory.
var ErrLocked = errors.New("state directory is in use by another process")

// Options say where the state lives and how large it may become.
type Options struct {
	Dir            string // created with mode 0700 when absent
	MaxStoreBytes  int64  // 0: 4 GiB and ContentBytes
	ContentBytes   int64  // of bodies in pieces; 0: DefaultContentBytes
	MaxMemoryBytes int64  // 0: DefaultMaxMemoryBytes
	Log            *slog.Logger
	Free           func(dir string) (bytes uint64, err error) // nil: asks the file system

	Cluster *Cluster  // nil: this server is alone
	NATS    *External // an existing cluster instead of embedded servers; Dir may be empty
	// Fast gives up durability for speed: what was acknowledged within the last
	// two minutes may be lost by a power cut (not by kill -9).
	Fast bool
}

// Store is an open state directory. Its methods may be called concurrently.
type Store struct {
	dir       string
	replica   string
	shared    bool
	replicas  int
	log       *slog.Logger
	free      func(string) (uint64, error)
	srv       *server.Server
	conn      *nats.Conn
	system    *nats.Conn // of a cluster: for requests of the system account
	unlock    func() error
	buckets   map[string]*Bucket
	events    *EventLog
	content   *Content
	keys      *Keys
	shutdowns *shutdownNotices

	contentBytes int64

	options   *server.Options // of srv
	faults    chan struct{}   // capacity 1: the server has logged an error
	stopped   atomic.Bool     // JetStream does not write
	repairs   sync.WaitGroup
	endRepair context.CancelFunc
	// endCampaigns stops this replica from campaigning, and waits for it.
	endCampaigns func()
	invitations  chan chan struct{} // closed ones mean that this replica may campaign
}

// Open locks the directory, starts JetStream on it and makes the buckets. With a
// cluster it waits, as long as ctx allows, until most replicas are there.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	s, err := prepare(&o)
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.open(ctx, o); err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	return s, nil
}

func prepare(o *Options) (*Store, error) {
	dir := ""
	switch {
	case o.Cluster != nil && o.NATS != nil:
		return nil, errors.New("both an embedded cluster and an external NATS cluster are configured; choose one")
	case o.Dir != "" && o.NATS == nil:
		abs, err := filepath.Abs(o.Dir)
		if err != nil {
			return nil, err
		}
		dir = abs
	case o.NATS == nil:
		return nil, errors.New("no state directory given")
	}
	if o.Free == nil {
		o.Free = freeBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ContentBytes == 0 {
		o.ContentBytes = DefaultContentBytes
	}
	s := &Store{faults: make(chan struct{}, 1), contentBytes: o.ContentBytes, dir: dir, replica: soleReplica, replicas: 1, log: o.Log, free: o.Free, buckets: make(map[string]*Bucket)}
	if c := o.Cluster; c != nil {
		s.replica, s.shared, s.replicas = c.Replica, true, len(c.Peers)
	}
	if x := o.NATS; x != nil {
		s.replica, s.shared = x.Replica, true
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, o Options) (err error) {
	if o.Fast {
		s.log.Warn("durability is fast: acknowledged writes may be lost in a power cut")
	}
	if o.NATS != nil {
		if err := s.join(ctx, o); err != nil {
			return err
		}
		return s.layOut(ctx)
	}
	if o.Cluster != nil {
		if err := o.Cluster.Check(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if s.unlock, err = lockDir(s.dir); err != nil {
		return err
	}
	if err := s.CheckSpace(); err != nil {
		return err
	}
	if err := claimDir(s.dir, markerOf(o.Cluster)); err != nil {
		return err
	}
	if err := s.serve(o); err != nil {
		return err
	}
	if err := s.layOut(ctx); err != nil {
		return err
	}
	repairing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.endRepair = cancel
	s.repairs.Go(func() { s.repairLoop(repairing) })
	return nil
}

// Bucket gives the bucket of that name, one of the constants in bucket_layout.go.
// Any other name is a mistake in the program and panics.
func (s *Store) Bucket(name string) *Bucket {
	b, ok := s.buckets[name]
	if !ok {
		panic("store: no bucket " + name)
	}
	return b
}

// Consumers counts the JetStream consumers; 0 if the server does not answer. Readers of events
// have none, so it stays near zero.
func (s *Store) Consumers() int {
	if s.srv == nil { // a view
		return 0
	}
	info, err := s.srv.Jsz(nil)
	if err != nil {
		return 0
	}
	return info.Consumers
}

// Replica is this replica's name: unique, and the same after a restart.
func (s *Store) Replica() string { return s.replica }

// Shared tells whether other replicas write here too.
func (s *Store) Shared() bool { return s.shared }

// Events gives the log of task events.
func (s *Store) Events() *EventLog { return s.events }

// Content gives the bodies that are kept in pieces.
func (s *Store) Content() *Content { return s.content }

// Keys gives the keys of what tasks contain.
func (s *Store) Keys() *Keys { return s.keys }

// Close stops JetStream and releases the directory. A replica first hands over
// what it leads, so that the others go on at once. Close may be called twice.
func (s *Store) Close() error {
	if s.endRepair != nil {
		s.endRepair()
		s.repairs.Wait()
	}
	if s.endCampaigns != nil {
		s.endCampaigns()
	}
	if s.shared && s.srv != nil {
		s.handOver()
	}
	for _, conn := range []*nats.Conn{s.conn, s.system} {
		if conn != nil {
			conn.Close()
		}
	}
	if s.srv != nil {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
	}
	if s.unlock == nil {
		return nil
	}
	err := s.unlock()
	s.conn, s.system, s.srv, s.unlock = nil, nil, nil, nil
	return err
}
