package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
// failed write, on a full disk for one, a stream takes none any more, whatever space there
// is later. Until then [Store.CheckSpace] refuses new work. A replica of a cluster refuses
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
		if s.repair(s.writes(), restarted) {
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
// place where it tells.
func (s *Store) writes() error {
	if !s.srv.JetStreamEnabled() {
		return errors.New("jetstream is disabled")
	}
	var answer memoryResponse
	s.srv.HandleHealthz(&answer, &http.Request{Method: http.MethodGet, URL: &url.URL{RawQuery: "details=true"}})
	var health server.HealthStatus
	if err := json.Unmarshal(answer.body.Bytes(), &health); err != nil {
		return fmt.Errorf("reading the health of jetstream: %w", err)
	}
	for _, e := range health.Errors {
		// A single server has recovered its streams by now, or never will.
		if s.replicas == 1 || strings.Contains(e.Error, writeError) {
			return errors.New(e.Error)
		}
	}
	return nil // those of a cluster pass: a replica that catches up, an election
}

// repair stops JetStream, which keeps its files, and has it read them again, if it does not
// write though there is space. cause is why it does not, or nil; last is when it was
// restarted last, and restarted reports that it was now.
func (s *Store) repair(cause error, last time.Time) (restarted bool) {
	was := s.stopped.Swap(cause != nil)
	switch {
	case cause == nil:
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
	if err != nil {
		s.log.Error("jetstream does not write again", "error", err)
		return true
	}
	s.stopped.Store(false)
	s.log.Info("jetstream writes again")
	return true
}

// memoryResponse keeps an answer's body.
type memoryResponse struct {
	header http.Header
	body   bytes.Buffer
}

func (r *memoryResponse) Header() http.Header {
	if r.header == nil {
		r.header = make(http.Header)
	}
	return r.header
}
func (r *memoryResponse) WriteHeader(int)             {}
func (r *memoryResponse) Write(p []byte) (int, error) { return r.body.Write(p) }
