package caddymodule

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/llorch/gateway/caddymodule/trail"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

// auditLoggerName is the name of the records in Caddy's log.
const auditLoggerName = "authmin.audit"

// neverStacktrace is above every level in use, so that no record has a stack trace.
const neverStacktrace = slog.LevelError + 1

// caddyQueue bounds the records that wait for Caddy's log. A record takes about
// 350 bytes here and 600 behind it.
const caddyQueue = 2048

// caddySink writes records to Caddy's own logger, under the name authmin.audit, so
// that an operator can route them. Caddy's writers may hang, so there is a queue and a
// goroutine here too. It belongs to one configuration, as the logger does. Before start
// and after end it writes without a queue.
type caddySink struct {
	to    slog.Handler
	count trail.Counters
	queue chan slog.Record
	stop  chan struct{}
	done  chan struct{}

	mu      sync.RWMutex
	running bool
}

func newCaddySink(log *zap.Logger, count trail.Counters) *caddySink {
	core := log.Named("audit").Core()
	return &caddySink{
		to:    zapslog.NewHandler(core, zapslog.WithName(auditLoggerName), zapslog.AddStacktraceAt(neverStacktrace)),
		count: count,
		queue: make(chan slog.Record, caddyQueue),
		stop:  make(chan struct{}), done: make(chan struct{}),
	}
}

// start begins to write; end ends it.
func (s *caddySink) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = true
	go s.run()
}

func (s *caddySink) end() {
	s.mu.Lock()
	running := s.running
	s.running = false
	s.mu.Unlock()
	if !running {
		return
	}
	close(s.stop)
	select {
	case <-s.done:
	case <-time.After(trail.Timeout): // Caddy's log hangs: give up
	}
}

func (s *caddySink) run() {
	defer close(s.done)
	for {
		select {
		case r := <-s.queue:
			s.write(r)
		case <-s.stop:
			for len(s.queue) > 0 {
				s.write(<-s.queue)
			}
			return
		}
	}
}

func (s *caddySink) write(r slog.Record) {
	if err := s.to.Handle(context.Background(), r); err != nil {
		s.count.Failed.Inc()
		return
	}
	s.count.Written.Inc()
}

// Enabled implements [slog.Handler]: it asks Caddy's log.
func (s *caddySink) Enabled(ctx context.Context, level slog.Level) bool {
	return s.to.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (s *caddySink) Handle(_ context.Context, r slog.Record) error {
	if d := decisionOf(&r); d != nil { // copy it: d is reused while the copy is queued
		r = slog.NewRecord(d.time, d.level, d.event, 0)
		r.AddAttrs(d.LogValue().Group()...)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.running {
		s.write(r)
		return nil
	}
	select {
	case s.queue <- r:
	default:
		s.count.Dropped.Inc()
	}
	return nil
}

// WithAttrs and WithGroup implement [slog.Handler]. The trail's records carry all
// of their fields.
func (s *caddySink) WithAttrs([]slog.Attr) slog.Handler { return s }

// WithGroup implements [slog.Handler].
func (s *caddySink) WithGroup(string) slog.Handler { return s }
