package staging

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// flight is one download with the number of its waiters.
type flight struct {
	waiters int // guarded by the Stager's mu
	cancel  context.CancelCauseFunc
	ended   chan struct{}
	path    string // read after ended
	err     error

	done, total atomic.Int64 // bytes; total is 0 while it is unknown
}

// join joins the running download of this digest, or begins one.
func (s *Stager) join(m catalogModel) *flight {
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
func (s *Stager) wait(ctx context.Context, hex string, f *flight, progress func(doneBytes, totalBytes int64)) (string, error) {
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
			return "", fmt.Errorf("%w: %w", ErrStaging, context.Cause(ctx))
		case <-ticker.C:
			tell()
		}
	}
}

// leave ends a download without waiters. The next caller begins a
// new one, which waits for the old one's lock and resumes.
func (s *Stager) leave(hex string, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.waiters--; f.waiters > 0 {
		return
	}
	f.cancel(errors.New("download cancelled: no caller waits for it"))
	if s.flights[hex] == f {
		delete(s.flights, hex)
	}
}
