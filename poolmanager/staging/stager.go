package staging

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
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
	// maxBad bounds what is remembered of wrong sources, as the catalog is.
	maxBad = 4096
)

// ErrStaging is wrapped by every error of staging a model of the catalog.
var ErrStaging = errors.New("staging the model")

// Options configure a Stager.
type Options struct {
	Root  string         // the model root; staged files and partial ones lie there
	Hosts modelref.Hosts // where sources may be
	// Catalog reads an entry of the orchestrator's catalog; nil: there is no orchestrator.
	Catalog func(ctx context.Context, id string) (nodeapi.Model, error)
	Log     *slog.Logger // nil: slog.Default

	// Tests set these; the zero values are the ordinary ones.
	cas    *x509.CertPool
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	free   func(dir string) (int64, error)
	limit  int64 // bytes of one model
	times  timings
}

// timings are the periods of staging; tests shorten them.
type timings struct {
	retryFirst time.Duration // the first wait after a cut, doubled up to retryLongest
	stall      time.Duration // how long a source may send no bytes before a retry
	poll       time.Duration // how often another process's lock is tried
	progress   time.Duration // how often callers get progress
	badFor     time.Duration // how long a source with the wrong digest is not read again
}

var defaultTimings = timings{retryFirst: time.Second, stall: time.Minute, poll: 500 * time.Millisecond, progress: 500 * time.Millisecond, badFor: 15 * time.Minute}

// Stager brings models of the catalog to this node: one download for all who
// ask for the same bytes, resumed after a cut or a restart, and visible under its
// final name, sha256-HEX in the model root, only after every byte was hashed.
// An id never becomes part of a path.
type Stager struct {
	Options
	quota *diskQuota
	slots chan struct{} // a place for each download

	mu      sync.Mutex
	flights map[string]*flight   // by the digest's hexadecimal digits
	bad     map[string]time.Time // when the bytes of a source were wrong, by digest and source
}

// New makes a Stager. It starts no goroutine and makes no request until Stage is called.
func New(o Options) *Stager {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.free == nil {
		o.free = freeBytes
	}
	if o.limit == 0 {
		o.limit = modelref.MaxBytes
	}
	if o.times == (timings{}) {
		o.times = defaultTimings
	}
	return &Stager{
		Options: o, quota: &diskQuota{free: o.free, flights: map[*flight]bool{}},
		slots: make(chan struct{}, maxDownloads), flights: map[string]*flight{}, bad: map[string]time.Time{},
	}
}

// Stage gives the path of a model's file. file:NAME is only looked up; catalog:ID is
// looked up at the orchestrator, downloaded unless it is staged already, and verified.
// progress, if not nil, is called from this goroutine with the bytes read so far and
// the size, 0 while that is unknown. When ctx ends
// only this caller stops waiting; the download goes on while another caller waits.
func (s *Stager) Stage(ctx context.Context, ref string, progress func(doneBytes, totalBytes int64)) (string, error) {
	parsed, err := modelref.Parse(ref)
	switch {
	case err != nil:
		return "", err
	case parsed.Kind == modelref.File:
		return FilePath(s.Root, parsed.Name)
	case parsed.Kind != modelref.Catalog:
		return "", fmt.Errorf("%w: want file:NAME or catalog:ID", modelref.ErrRef)
	}
	m, err := s.lookUp(ctx, parsed.Name)
	if err != nil {
		return "", err
	}
	f := s.join(m)
	return s.wait(ctx, m.hex(), f, progress)
}
