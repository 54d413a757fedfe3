package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// repairPause is how often a store that does not write is looked at again, and
	// faultPause how long after a look at the earliest: unauthenticated connections to the
	// route port cause errors in the log, too.
	repairPause = time.Second
	faultPause  = 100 * time.Millisecond
	// restartPause is the least time between two restarts: where writes fail though there
	// is space, as with a quota, without inodes or on a broken disk, a restart is no help.
	restartPause = time.Minute
	// writeError is in JetStream's words for a stream that has stopped writing.
	writeError = "write error"
)

// errStopped is a store that takes no writes though its disk has space.
var errStopped = fmt.Errorf("jetstream has stopped writing: %w", ErrDiskFull)

// repairLoop restarts JetStream, in this process, where it has stopped writing: after a
// failed write, on a full disk for example, a stream takes none any more, even when there is
// space again. Until then [Store.CheckSpace] refuses new work. A replica of a cluster refuses
// it until it is restarted: what it has missed comes from the others then. The loop looks
// after each error in JetStream's log, and ends with ctx.
func (s *Store) repairLoop(ctx context.Context) {
	var restarted time.Time
	for {
		var again <-chan time.Time
		if s.stopped.Load() {
			again = time.After(repairPause)
		}
		select {
		case <-s.faults:
		case <-again:
		case <-ctx.Done():
			return
		}
		if s.repair(ctx, s.writes(), restarted) {
			restarted = time.Now()
		}
		select {
		case <-time.After(faultPause):
		case <-ctx.Done():
			return
		}
	}
}

// writes returns why JetStream does not write, or nil. Its own health check is the only
// place where it tells; HandleHealthz would log a warning each time.
func (s *Store) writes() error {
	if !s.srv.JetStreamEnabled() {
		return errors.New("jetstream is disabled")
	}
	return unwritable(s.srv.Healthz(&server.HealthzOptions{Details: true}), s.replicas)
}

// unwritable returns why a server of that many replicas does not write, or nil. All errors
// of a single server are reasons: it has recovered its streams by now, or never will. Most
// errors of a cluster pass: a replica that catches up, an election.
func unwritable(health *server.HealthStatus, replicas int) error {
	for _, e := range health.Errors {
		if replicas == 1 || strings.Contains(e.Error, writeError) {
			return errors.New(e.Error)
		}
	}
	return nil
}

// probe writes a key that is not read.
func (s *Store) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.Bucket(Leases).Put(ctx, probeKey, nil)
}

// repair stops JetStream, which keeps its files, and has it read them again, if it does not
// write though there is space. cause is why it does not, or nil; last is when it was
// restarted last, and restarted reports that it was now. A store that has stopped takes
// work again after a write that succeeds.
func (s *Store) repair(ctx context.Context, cause error, last time.Time) (restarted bool) {
	was := s.stopped.Load()
	if was && cause == nil {
		cause = s.probe(ctx)
	}
	s.stopped.Store(cause != nil)
	switch {
	case cause == nil:
		if was {
			s.log.Info("jetstream writes again")
		}
		return false
	case s.replicas > 1:
		if !was {
			s.log.Error("jetstream has stopped writing: free disk space, then restart this replica", "error", cause)
		}
		return false
	case s.checkFree() != nil:
		return false
	case time.Since(last) < restartPause:
		if !was {
			s.log.Error("jetstream has stopped writing again: see whether the disk has a quota, no inodes or a fault", "restart_after_ms", restartPause.Milliseconds(), "error", cause)
		}
		return false
	}
	s.log.Warn("restarting jetstream: it has stopped writing", "error", cause)
	err := s.srv.ShutdownJetStream()
	if err == nil {
		err = s.srv.EnableJetStream(&server.JetStreamConfig{
			StoreDir: s.options.StoreDir, SyncAlways: s.options.SyncAlways, SyncInterval: s.options.SyncInterval,
			MaxMemory: s.options.JetStreamMaxMemory, MaxStore: s.options.JetStreamMaxStore, Strict: !s.options.NoJetStreamStrict,
		})
	}
	if err == nil {
		err = s.writes()
	}
	if err == nil {
		err = s.probe(ctx)
	}
	if err != nil {
		s.log.Error("jetstream does not write after its restart", "error", err)
		return true
	}
	s.stopped.Store(false)
	s.log.Info("jetstream writes again")
	return true
}
