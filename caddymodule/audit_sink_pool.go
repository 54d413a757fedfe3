package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
	"go.uber.org/zap/exp/zapslog"
)

// auditSinks are the sinks of this process by target. A new configuration starts before
// the old one stops, and both write to the same sink, so that a reload neither loses nor
// duplicates a record.
var auditSinks = caddy.NewUsagePool()

// pooledSink is a sink in the pool, with the key of its file's chain.
type pooledSink struct {
	*trail.Sink
	key authmin.Secret
}

// Destruct implements [caddy.Destructor]. It is called when the last configuration has
// released the sink.
func (s *pooledSink) Destruct() error { return s.Stop() }

// begin is called when the configuration comes into use; `validate` never calls it.
func (s *pooledSink) begin(sink AuditSink) error {
	s.SetReserve(sink.Reserve)
	return s.Start()
}

// acquire returns the sink for these settings. Each call needs one of releaseSink. It
// opens nothing for writing.
func (s AuditSink) acquire(m *metrics) (*pooledSink, error) {
	var key authmin.Secret
	if s.Chain != "" {
		var err error
		key, err = trail.ReadKey(s.Chain)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w; make the key: (umask 077; openssl rand -hex 32 > %s), readable by the gateway's user, or correct the path", err, s.Chain)
		}
		if err != nil {
			return nil, err
		}
	}
	if s.Sink == sinkFile {
		if err := trail.CheckFile(s.Path, !key.IsZero()); err != nil {
			return nil, err
		}
	}
	value, _, err := auditSinks.LoadOrNew(s.target(), func() (caddy.Destructor, error) {
		return &pooledSink{s.open(key, m), key}, nil
	})
	if err != nil {
		return nil, err
	}
	pooled := value.(*pooledSink)
	if pooled.key.IsZero() != key.IsZero() || !key.IsZero() && !pooled.key.Equal(key) {
		return nil, errors.Join(
			fmt.Errorf("%s is being written with another chain key, or without one; use another audit file for the new key, or restart", s.Path),
			releaseSink(s.target()))
	}
	return pooled, nil
}

func releaseSink(target string) error {
	_, err := auditSinks.Delete(target)
	return err
}

func (s AuditSink) open(key authmin.Secret, m *metrics) *trail.Sink {
	options := trail.Options{Counters: m.sink(s.Sink), Log: operatorLog}
	switch s.Sink {
	case sinkFile:
		return trail.NewFile(s.Path, key, options)
	case sinkSyslog:
		return trail.NewSyslog(s.Network, s.Address, options)
	}
	return trail.NewStderr(options)
}

// operatorLog returns Caddy's current log: a sink outlives configurations and their logs.
func operatorLog() *slog.Logger {
	return slog.New(zapslog.NewHandler(caddy.Log().Core(), zapslog.WithName(AppName), zapslog.AddStacktraceAt(neverStacktrace)))
}

// Interface guards
var (
	_ caddy.Destructor = (*pooledSink)(nil)
)
