package caddymodule

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
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

// AuditSink is one destination of the audit trail.
type AuditSink struct {
	// stderr, file, syslog, or caddy: Caddy's own log under the name
	// authmin.audit.
	Sink string `json:"sink"`

	// Absolute path, for file. The file is created with mode 0600.
	Path string `json:"path,omitempty"`

	// udp, tcp or unix, and where to, for syslog. Default: the socket /dev/log.
	Network string `json:"network,omitempty"`
	Address string `json:"address,omitempty"`

	// Absolute path of a file with a key of at least 32 characters, for file:
	// every record carries the HMAC of its predecessor under that key.
	Chain string `json:"chain,omitempty"`

	// For file: bytes of its disk that are reserved for the records of allowed
	// requests with an identity. When less is free, refusals and requests on public
	// routes are not recorded. Default: 64 MiB, or a quarter of a disk that is
	// smaller than four times that. Negative: no reserve.
	Reserve int64 `json:"reserve,omitempty"`

	// A request is forwarded only when one of the required sinks has passed its record
	// to the kernel.
	Required bool `json:"required,omitempty"`
}

var errChainPath = errors.New("audit file: want chain and the absolute path of a key file; the key itself would be stored in Caddy's saved configuration")

// check validates a sink's settings, without opening anything.
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
		return errChainPath // without the text, which could be the key
	case s.Sink == sinkCaddy && s.Required:
		return errors.New("audit caddy cannot be required: Caddy's log does not say whether it could write; require a file")
	}
	if s.Sink == sinkSyslog && (s.Network != "" || s.Address != "") {
		if err := trail.CheckSyslog(s.Network, s.Address); err != nil {
			return fmt.Errorf("audit syslog: %w", err)
		}
	}
	return nil
}

// target identifies a sink: sinks with the same target are the same sink.
func (s AuditSink) target() string {
	switch s.Sink {
	case sinkFile:
		return sinkFile + " " + filepath.Clean(s.Path)
	case sinkSyslog:
		return sinkSyslog + " " + s.Network + " " + s.Address
	}
	return s.Sink
}

// chainKeys returns the sources of the sinks' chain keys.
func chainKeys(sinks []AuditSink) ([]*authmin.SecretSource, error) {
	var keys []*authmin.SecretSource
	for _, sink := range sinks {
		if sink.Chain == "" {
			continue
		}
		key, err := authmin.FileSecret(sourceChain, "the chain key of audit file "+sink.Path, sink.Chain)
		if err != nil {
			return nil, fmt.Errorf("chain key: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
