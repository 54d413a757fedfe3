package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// The two accounts of the embedded server. In a cluster their users get a
	// password of their own at each start, though nothing but this process can
	// connect: no port for clients is opened.
	userState, userSystem = "state", "system"
	systemAccount         = "$SYS"
)

// serve starts the embedded server and connects to it.
func (s *Store) serve(o Options) error {
	opts, password, err := serverOptions(s.dir, o)
	if err != nil {
		return err
	}
	if o.Cluster != nil { // the server itself would only log the error, and wait
		ln, err := net.Listen("tcp", o.Cluster.Listen)
		if err != nil {
			return fmt.Errorf("listening for the other replicas: %w", err)
		}
		if err := ln.Close(); err != nil {
			return fmt.Errorf("listening for the other replicas: %w", err)
		}
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("configuring jetstream: %w", err)
	}
	srv.SetLoggerV2(newNATSLog(s.log, s.faults), false, false, false)
	s.srv, s.options = srv, opts
	srv.Start()
	if o.Cluster != nil {
		startRoutes(srv)
	}
	if !srv.ReadyForConnections(startTimeout) || !srv.JetStreamEnabled() {
		return fmt.Errorf("starting jetstream in %s: not ready after %s; the log says why", s.dir, startTimeout)
	}
	s.conn, err = nats.Connect("", nats.InProcessServer(srv), nats.MaxReconnects(-1), nats.UserInfo(userState, password),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { s.log.Warn("nats", "error", err) }))
	if err == nil && o.Cluster != nil {
		s.system, err = nats.Connect("", nats.InProcessServer(srv), nats.MaxReconnects(-1), nats.UserInfo(userSystem, password))
	}
	if err != nil {
		return fmt.Errorf("connecting to jetstream: %w", err)
	}
	if o.Cluster == nil {
		return nil
	}
	if errTiming != nil {
		s.log.Warn("elections take 4 to 9 s", "error", errTiming)
	}
	return s.startCampaigns()
}

// startRoutes opens the route port: with DontListen, Start waits for ever for the
// client port before that. The wait that
// Start began stays behind; this call takes its place in the server's count of
// goroutines, so that Shutdown ends.
func startRoutes(srv *server.Server) {
	ready := make(chan struct{})
	close(ready)
	srv.StartRouting(ready)
}

func serverOptions(dir string, o Options) (opts *server.Options, password string, err error) {
	if o.MaxStoreBytes == 0 {
		o.MaxStoreBytes = DefaultMaxStoreBytes - DefaultContentBytes + max(o.ContentBytes, reservedContent(dir))
	}
	if o.MaxMemoryBytes == 0 {
		o.MaxMemoryBytes = DefaultMaxMemoryBytes
	}
	opts = &server.Options{
		ServerName:             soleReplica,
		DontListen:             true,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
		JetStream:              true,
		StoreDir:               jetstreamDir(dir),
		SyncAlways:             !o.Fast, // the default is one fsync every two minutes
		JetStreamMaxStore:      o.MaxStoreBytes,
		JetStreamMaxMemory:     o.MaxMemoryBytes,
		MaxPayload:             maxPayload,
	}
	if o.Cluster == nil {
		return opts, "", nil
	}
	password = rand.Text()
	system := server.NewAccount(systemAccount)
	opts.Accounts, opts.SystemAccount = []*server.Account{system}, systemAccount
	opts.Users = []*server.User{{Username: userState, Password: password}, {Username: userSystem, Password: password, Account: system}}
	return opts, password, o.Cluster.apply(opts)
}

// handOverTimeout bounds the wait for new leaders; a leader that names its successor
// is replaced within a round trip.
const handOverTimeout = 1500 * time.Millisecond

// noticePause is for the others to learn that they may lead, before they are asked to.
const noticePause = 50 * time.Millisecond

// handOver gives the leadership of every stream, and of the cluster itself, to the
// other replicas. Where that fails, there is an election.
func (s *Store) handOver() {
	ctx, cancel := context.WithTimeout(context.Background(), handOverTimeout)
	defer cancel()
	if s.conn != nil {
		_ = s.conn.Publish(leavingSubject, nil)
		<-time.After(noticePause)
	}
	if s.srv.JetStreamIsLeader() && s.system != nil {
		_, _ = s.system.RequestWithContext(ctx, "$JS.API.META.LEADER.STEPDOWN", nil)
	}
	led := func() (names []string) {
		for _, name := range append(streams(), bucketPrefix+legacyNodes) {
			if s.srv.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, name) {
				names = append(names, name)
			}
		}
		return names
	}
	for _, name := range led() {
		_ = s.srv.JetStreamStepdownStream(server.DEFAULT_GLOBAL_ACCOUNT, name)
	}
	for ctx.Err() == nil && !s.followed(ctx) {
		select {
		case <-time.After(handOverTimeout / 50):
		case <-ctx.Done():
		}
	}
}

// followed reports whether every stream has a leader on another replica.
func (s *Store) followed(ctx context.Context) bool {
	if s.events == nil {
		return true
	}
	for _, name := range streams() {
		st, err := s.events.js.Stream(ctx, name)
		if err != nil {
			return false
		}
		if c := st.CachedInfo().Cluster; c == nil || c.Leader == "" || c.Leader == s.replica {
			return false
		}
	}
	return true
}
