package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
)

// The kinds of sinks. They are labels of metrics.
const (
	sinkStderr = "stderr"
	sinkFile   = "file"
	sinkSyslog = "syslog"
	sinkCaddy  = "caddy"
)

// maxAuditSinks bounds the sinks of one configuration: each has a queue and a
// goroutine.
const maxAuditSinks = 8

// AuditSink is one place that the audit trail goes to.
type AuditSink struct {
	// stderr, file, syslog, or caddy: Caddy's own log under the name
	// authmin.audit.
	Sink string `json:"sink"`

	// Absolute path, for file. The file is made with mode 0600.
	Path string `json:"path,omitempty"`

	// udp, tcp or unix, and where to, for syslog. Default: the socket /dev/log.
	Network string `json:"network,omitempty"`
	Address string `json:"address,omitempty"`

	// Absolute path of a file with a key of at least 32 characters, for file:
	// every record carries the HMAC of its predecessor under that key.
	Chain string `json:"chain,omitempty"`

	// For file: bytes of its disk that are kept for the records of requests which an
	// identity was let in with. When less is free, refusals and requests on public
	// routes are not recorded. Default: 64 MiB, or a quarter of a disk that is
	// smaller than four times that. Negative: nothing is kept.
	Reserve int64 `json:"reserve,omitempty"`

	// A request goes on only when its record has been handed to the kernel by one
	// of the required sinks.
	Required bool `json:"required,omitempty"`
}

var errChainPath = errors.New("audit file: want chain and the absolute path of a key file; the key itself would be stored in Caddy's saved configuration")

// check judges a sink's settings, without touching what they name.
func (s AuditSink) check() error {
	switch s.Sink {
	case sinkStderr, sinkFile, sinkSyslog, sinkCaddy:
	default:
		return fmt.Errorf("audit %q: want stderr, file, syslog or caddy", s.Sink)
	}
	switch {
	case s.Sink == sinkFile && !filepath.IsAbs(s.Path):
		return fmt.Errorf("audit file: %q is not an absolute path", s.Path)
	case s.Sink != sinkFile && (s.Path != "" || s.Chain != "" || s.Reserve != 0):
		return fmt.Errorf("audit %s: path, chain and reserve are for file", s.Sink)
	case s.Sink != sinkSyslog && (s.Network != "" || s.Address != ""):
		return fmt.Errorf("audit %s: an address is for syslog", s.Sink)
	case s.Chain != "" && !filepath.IsAbs(s.Chain):
		return errChainPath // without what stands there: it could be the key
	case s.Sink == sinkCaddy && s.Required:
		return errors.New("audit caddy cannot be required: Caddy's log does not say whether it could write; require a file")
	}
	if s.Sink == sinkSyslog && (s.Network != "" || s.Address != "") {
		if err := checkSyslog(s.Network, s.Address); err != nil {
			return fmt.Errorf("audit syslog: %w", err)
		}
	}
	return nil
}

// target identifies a sink: two of one target are the same sink.
func (s AuditSink) target() string {
	switch s.Sink {
	case sinkFile:
		return sinkFile + " " + filepath.Clean(s.Path)
	case sinkSyslog:
		return sinkSyslog + " " + s.Network + " " + s.Address
	}
	return s.Sink
}

// auditQueues are the sinks of this process by target: a new configuration starts
// before the old one stops, and both write to the same sink.
var auditQueues = caddy.NewUsagePool()

// pooledQueue is a sink in the pool, with the key that its file is chained by.
type pooledQueue struct {
	*auditQueue
	key  authmin.Secret
	room *diskReserve
}

// begin is called when the configuration comes into force.
func (q *pooledQueue) begin(sink AuditSink) error {
	q.room.setting.Store(max(sink.Reserve, noReserve))
	return q.start()
}

// take returns the sink for these settings. Whoever takes it gives it back with
// giveBackQueue. Nothing is opened for writing yet.
func (s AuditSink) take(m *metrics) (*pooledQueue, error) {
	var key authmin.Secret
	if s.Chain != "" {
		var err error
		if key, err = readChainKey(s.Chain); err != nil {
			return nil, err
		}
	}
	if s.Sink == sinkFile {
		if err := checkAuditFile(s.Path); err != nil {
			return nil, err
		}
		if info, err := os.Stat(s.Path); err == nil && !info.Mode().IsRegular() && !key.IsZero() {
			return nil, fmt.Errorf("%s is not a regular file: a chain goes on from what can be read again", s.Path)
		}
	}
	value, _, err := auditQueues.LoadOrNew(s.target(), func() (caddy.Destructor, error) {
		room := newDiskReserve()
		return &pooledQueue{newAuditQueue(s.output(key, room), m.sink(s.Sink)), key, room}, nil
	})
	if err != nil {
		return nil, err
	}
	q := value.(*pooledQueue)
	if q.key.IsZero() != key.IsZero() || !key.IsZero() && !q.key.Equal(key) {
		return nil, errors.Join(
			fmt.Errorf("%s is being written with another chain key, or none; give the new key a file of its own, or restart", s.Path),
			giveBackQueue(s.target()))
	}
	return q, nil
}

func giveBackQueue(target string) error {
	_, err := auditQueues.Delete(target)
	return err
}

func (s AuditSink) output(key authmin.Secret, room *diskReserve) auditOutput {
	switch s.Sink {
	case sinkFile:
		o := newAuditFile(filepath.Clean(s.Path), key)
		o.room = room
		return o
	case sinkSyslog:
		if s.Address == "" {
			return newAuditSyslog("unix", localSyslog)
		}
		return newAuditSyslog(s.Network, s.Address)
	}
	return auditStderr{os.Stderr}
}

// queueHandler puts records into one sink's queue.
type queueHandler struct {
	queue *auditQueue
	wait  bool // until the kernel has it
	room  *diskReserve
}

// Enabled implements [slog.Handler]: everything in the trail is for every sink.
func (queueHandler) Enabled(context.Context, slog.Level) bool { return true }

var recordBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, maxRecord)
	return &b
}}

// Handle implements [slog.Handler]. Its error is for whoever waits: for others a
// lost record is counted, and that is all.
func (h queueHandler) Handle(_ context.Context, r slog.Record) error {
	if d := decisionOf(&r); d != nil {
		line := d.json()
		if d.stranger && !h.room.take(len(line)) {
			h.queue.drop() // counted, and told by the next record; the refusal stands
			return nil
		}
		return h.put(line)
	}
	buf := recordBuffers.Get().(*[]byte)
	defer recordBuffers.Put(buf)
	*buf = appendRecord((*buf)[:0], &r)
	if isStrangers(r.Message) && !h.room.take(len(*buf)) {
		h.queue.drop()
		return nil
	}
	return h.put(*buf)
}

func (h queueHandler) put(line []byte) error {
	err := h.queue.put(line, h.wait)
	if !h.wait {
		return nil
	}
	return err
}

// WithAttrs implements [slog.Handler]. The trail's records carry all of their
// fields.
func (h queueHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements [slog.Handler].
func (h queueHandler) WithGroup(string) slog.Handler { return h }
