// Package store keeps what the orchestrator must not forget: an embedded
// JetStream server in this process, key-value buckets with compare-and-set, and
// one stream of task events.
//
// It is not a general database. It knows bytes, keys and revisions; what the
// bytes mean belongs to package orchestrator. It opens no port: the only client
// is this process, over an in-memory connection.
//
// What has been acknowledged by a bucket has been fsynced (SyncAlways). The
// event stream is asynchronous on purpose: how a task ended is a record in a
// bucket, the events are the copy that makes resuming possible.
//
//	st, err := store.Open(ctx, store.Options{Dir: "/var/lib/llorch/orchestrator"})
//	defer st.Close()
//	rev, err := st.Bucket(store.Tasks).Create(ctx, id, record)
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// DefaultMaxStoreBytes bounds the state directory: the sum of the buckets'
	// and the event stream's limits (see layout.go) with room to spare.
	DefaultMaxStoreBytes = 4 << 30
	// DefaultMaxMemoryBytes bounds JetStream's memory storage, which only
	// small buckets use. Zero would mean "75 % of the machine" to JetStream.
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
	MaxStoreBytes  int64  // 0: DefaultMaxStoreBytes
	MaxMemoryBytes int64  // 0: DefaultMaxMemoryBytes
	Log            *slog.Logger
	Free           func(dir string) (bytes uint64, err error) // nil: asks the file system
}

// Store is an open state directory. Its methods may be called concurrently.
type Store struct {
	dir     string
	replica string
	shared  bool
	free    func(string) (uint64, error)
	srv     *server.Server
	conn    *nats.Conn
	unlock  func() error
	buckets map[string]*Bucket
	events  *EventLog
}

// Open locks the directory, starts JetStream on it and makes the buckets.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	if o.Dir == "" {
		return nil, errors.New("opening store: no state directory given")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	if o.Free == nil {
		o.Free = freeBytes
	}
	s := &Store{dir: dir, replica: soleReplica, free: o.Free, buckets: make(map[string]*Bucket)}
	if s.unlock, err = lockDir(dir); err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.Room(); err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	if err := s.serve(o); err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	if err := s.layOut(ctx); err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	return s, nil
}

func (s *Store) serve(o Options) error {
	srv, err := server.NewServer(serverOptions(s.dir, o))
	if err != nil {
		return fmt.Errorf("configuring jetstream: %w", err)
	}
	if o.Log != nil {
		srv.SetLoggerV2(natsLog{o.Log.With("component", "jetstream")}, false, false, false)
	}
	srv.Start()
	s.srv = srv
	if !srv.ReadyForConnections(startTimeout) || !srv.JetStreamEnabled() {
		return fmt.Errorf("starting jetstream in %s: not ready after %s", s.dir, startTimeout)
	}
	s.conn, err = nats.Connect("", nats.InProcessServer(srv), nats.MaxReconnects(-1))
	if err != nil {
		return fmt.Errorf("connecting to jetstream: %w", err)
	}
	return nil
}

func serverOptions(dir string, o Options) *server.Options {
	if o.MaxStoreBytes == 0 {
		o.MaxStoreBytes = DefaultMaxStoreBytes
	}
	if o.MaxMemoryBytes == 0 {
		o.MaxMemoryBytes = DefaultMaxMemoryBytes
	}
	return &server.Options{
		ServerName:             soleReplica,
		DontListen:             true,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
		JetStream:              true,
		StoreDir:               filepath.Join(dir, "jetstream"),
		SyncAlways:             true, // the default is one fsync every two minutes
		JetStreamMaxStore:      o.MaxStoreBytes,
		JetStreamMaxMemory:     o.MaxMemoryBytes,
		MaxPayload:             maxPayload,
	}
}

func (s *Store) layOut(ctx context.Context) error {
	js, err := jetstream.New(s.conn, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return fmt.Errorf("connecting to jetstream: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, cfg := range layout {
		kv, err := js.CreateOrUpdateKeyValue(ctx, cfg)
		if err != nil {
			return fmt.Errorf("making bucket %s: %w", cfg.Bucket, err)
		}
		s.buckets[cfg.Bucket] = &Bucket{js: js, kv: kv, markers: cfg.LimitMarkerTTL > 0}
	}
	s.events, err = openEvents(ctx, js)
	return err
}

// Bucket gives the bucket of that name, one of the constants in layout.go.
// Any other name is a mistake in the program and panics.
func (s *Store) Bucket(name string) *Bucket {
	b, ok := s.buckets[name]
	if !ok {
		panic("store: no bucket " + name)
	}
	return b
}

// Consumers is how many JetStream consumers there are now; 0 if it cannot tell.
// None belongs to a reader of events, so it stays near zero.
func (s *Store) Consumers() int {
	info, err := s.srv.Jsz(nil)
	if err != nil {
		return 0
	}
	return info.Consumers
}

// Replica is this replica's name: the same after a restart, and nobody else's.
func (s *Store) Replica() string { return s.replica }

// Shared tells whether other replicas write here too.
func (s *Store) Shared() bool { return s.shared }

// Events gives the log of task events.
func (s *Store) Events() *EventLog { return s.events }

// Close stops JetStream and releases the directory. It may be called twice.
func (s *Store) Close() error {
	if s.conn != nil {
		s.conn.Close()
	}
	if s.srv != nil {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
	}
	if s.unlock == nil {
		return nil
	}
	err := s.unlock()
	s.conn, s.srv, s.unlock = nil, nil, nil
	return err
}
