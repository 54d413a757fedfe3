package poolmanager

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/poolmanager/modelref"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// maxDownloads is how many models are read at once: the link or the disk is
	// the limit, and engines need both.
	maxDownloads = 2
	// stageLimit bounds one model whatever its source does: 2 TiB at 25 MB/s.
	stageLimit = 24 * time.Hour
	// maxWrong bounds what is remembered of wrong sources, as the catalog is.
	maxWrong = 4096
)

// errStaging says that a model of the catalog could not be brought here.
var errStaging = errors.New("staging the model")

// stagerOptions is what staging needs to know.
type stagerOptions struct {
	root    string                                                      // the model root; staged files and partial ones lie there
	hosts   []string                                                    // sources may be there: host, host:port, or http://LOOPBACK:PORT
	catalog func(ctx context.Context, id string) (nodeapi.Model, error) // nil: there is none
	log     *slog.Logger

	// Tests set these; the zero values are the ordinary ones.
	cas    *x509.CertPool
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	free   func(dir string) (int64, error)
	limit  int64 // bytes of one model
	times  stagerTimes
}

// stagerTimes are the periods of staging; tests shorten them.
type stagerTimes struct {
	retryFirst time.Duration // the first wait after a cut, doubled up to retryLongest
	stall      time.Duration // a source that sends nothing for so long is asked anew
	poll       time.Duration // how often another process's lock is tried
	progress   time.Duration // how often callers hear
	wrong      time.Duration // how long a source with the wrong bytes is not asked again
}

var defaultStagerTimes = stagerTimes{retryFirst: time.Second, stall: time.Minute, poll: 500 * time.Millisecond, progress: 500 * time.Millisecond, wrong: 15 * time.Minute}

// stager brings models of the catalog to this node: one download for all who
// ask for the same bytes, resumed after a cut or a restart, and visible under its
// final name, sha256-HEX in the model root, only after every byte was hashed.
// An id never becomes part of a path.
type stager struct {
	stagerOptions
	room    *room
	reading chan struct{} // a place for each download

	mu      sync.Mutex
	flights map[string]*flight   // by the digest's hexadecimal digits
	wrong   map[string]time.Time // when the bytes of a source were wrong, by digest and source
}

// flight is one download and how many wait for it.
type flight struct {
	waiters int // guarded by the stager's mu
	cancel  context.CancelCauseFunc
	ended   chan struct{}
	path    string // read after ended
	err     error

	done, total atomic.Int64 // bytes; total is 0 while it is unknown
}

func newStager(o stagerOptions) *stager {
	if o.log == nil {
		o.log = slog.Default()
	}
	if o.lookup == nil {
		o.lookup = lookupHost
	}
	if o.free == nil {
		o.free = freeBytes
	}
	if o.limit == 0 {
		o.limit = modelref.MaxBytes
	}
	if o.times == (stagerTimes{}) {
		o.times = defaultStagerTimes
	}
	return &stager{
		stagerOptions: o, room: &room{free: o.free, flights: map[*flight]bool{}},
		reading: make(chan struct{}, maxDownloads), flights: map[string]*flight{}, wrong: map[string]time.Time{},
	}
}

// Stage gives the path of a model's file. file:NAME is only looked up;
// catalog:ID is asked of the orchestrator, downloaded unless it is here, and
// checked. progress, if not nil, is called from this goroutine with the bytes
// that are here and the bytes there are, 0 while that is unknown. When ctx ends
// only this caller stops waiting; the download goes on while somebody waits.
func (s *stager) Stage(ctx context.Context, ref string, progress func(doneBytes, totalBytes int64)) (string, error) {
	parsed, err := modelref.Parse(ref)
	switch {
	case err != nil:
		return "", err
	case parsed.Kind == modelref.File:
		return modelFile(s.root, parsed.Name)
	case parsed.Kind != modelref.Catalog:
		return "", fmt.Errorf("%w: want file:NAME or catalog:ID", ErrModelRef)
	}
	m, err := s.lookUp(ctx, parsed.Name)
	if err != nil {
		return "", err
	}
	f := s.join(m)
	return s.wait(ctx, m.hex(), f, progress)
}

func sizeOf(path string) int64 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// wasWrong reports whether the source had other bytes lately. A pool tries again
// for ever; hundreds of gigabytes should not.
func (s *stager) wasWrong(m catalogModel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.wrong[m.Digest+m.SourceURL]
	return ok && time.Since(at) < s.times.wrong
}

func (s *stager) noteWrong(m catalogModel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.wrong) >= maxWrong {
		clear(s.wrong) // they are asked once more
	}
	s.wrong[m.Digest+m.SourceURL] = time.Now()
}

// join takes part in the download of these bytes, and begins it if nobody did.
func (s *stager) join(m catalogModel) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[m.hex()]; f != nil {
		f.waiters++
		return f
	}
	limited, stop := context.WithTimeout(context.Background(), stageLimit)
	ctx, cancel := context.WithCancelCause(limited)
	f := &flight{waiters: 1, cancel: cancel, ended: make(chan struct{})}
	s.flights[m.hex()] = f
	go func() {
		defer stop()
		defer cancel(nil)
		f.path, f.err = s.download(ctx, m, f)
		s.mu.Lock()
		if s.flights[m.hex()] == f {
			delete(s.flights, m.hex())
		}
		s.mu.Unlock()
		close(f.ended)
	}()
	return f
}

// wait is one caller's share of a flight.
func (s *stager) wait(ctx context.Context, hex string, f *flight, progress func(doneBytes, totalBytes int64)) (string, error) {
	defer s.leave(hex, f)
	ticker := time.NewTicker(s.times.progress)
	defer ticker.Stop()
	tell := func() {
		if progress != nil {
			progress(f.done.Load(), f.total.Load())
		}
	}
	for {
		select {
		case <-f.ended:
			tell()
			return f.path, f.err
		case <-ctx.Done():
			return "", fmt.Errorf("%w: %w", errStaging, context.Cause(ctx))
		case <-ticker.C:
			tell()
		}
	}
}

// leave ends a download that nobody waits for any more. Who asks next begins a
// new one, which waits for the old one's lock and resumes.
func (s *stager) leave(hex string, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.waiters--; f.waiters > 0 {
		return
	}
	f.cancel(errors.New("nobody waits for it any more"))
	if s.flights[hex] == f {
		delete(s.flights, hex)
	}
}
