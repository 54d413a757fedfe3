package caddymodule

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
	"go.uber.org/zap/exp/zapslog"
)

// auditSinks are the sinks of this process by target: a new configuration starts
// before the old one stops, and both write to the same sink, so that a reload neither
// loses nor doubles a record.
var auditSinks = caddy.NewUsagePool()

// pooledSink is a sink in the pool, with the key of its file's chain.
type pooledSink struct {
	*trail.Sink
	key authmin.Secret
}

// Destruct implements [caddy.Destructor]: the last configuration gave the sink back.
func (s *pooledSink) Destruct() error { return s.Stop() }

// begin is called when the configuration comes into force. `validate` never gets
// here.
func (s *pooledSink) begin(sink AuditSink) error {
	s.SetReserve(sink.Reserve)
	return s.Start()
}

// take returns the sink for these settings, which giveBackSink gives back. Nothing
// is opened for writing yet.
func (s AuditSink) take(m *metrics) (*pooledSink, error) {
	var key authmin.Secret
	if s.Chain != "" {
		var err error
		if key, err = trail.ReadKey(s.Chain); err != nil {
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
			fmt.Errorf("%s is being written with another chain key, or none; give the new key a file of its own, or restart", s.Path),
			giveBackSink(s.target()))
	}
	return pooled, nil
}

func giveBackSink(target string) error {
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

// operatorLog is Caddy's log of the moment: a sink outlives configurations, and their
// logs.
func operatorLog() *slog.Logger {
	return slog.New(zapslog.NewHandler(caddy.Log().Core(), zapslog.WithName(AppName), zapslog.AddStacktraceAt(neverStacktrace)))
}

// Interface guards
var (
	_ caddy.Destructor = (*pooledSink)(nil)
)
