package caddymodule

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

const (
	// facilityAuthPriv is the facility of private security messages (RFC 5424,
	// table 1); severities are of table 2.
	facilityAuthPriv = 10
	severityError    = 3
	severityWarning  = 4
	severityInfo     = 6

	// localSyslog is where a local collector listens.
	localSyslog = "/dev/log"

	// redialInterval is the least time between two attempts to connect: in
	// between, records are lost at once and nobody waits.
	redialInterval = time.Second
)

// auditSyslog is the output that sends each record as one message of RFC 5424:
// a datagram, or a frame with octet counting on a stream (RFC 6587 §3.4.1).
type auditSyslog struct {
	network, address string
	host             string
	timeout          time.Duration

	conn   net.Conn
	stream bool
	failed time.Time // when connecting last failed
	buf    []byte
}

func newAuditSyslog(network, address string) *auditSyslog {
	host, err := os.Hostname()
	if err != nil || host == "" || len(host) > 255 || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		host = "-"
	}
	return &auditSyslog{network: network, address: address, host: host, timeout: sinkTimeout}
}

// checkSyslog judges where to send messages, and connects to nothing.
func checkSyslog(network, address string) error {
	switch network {
	case "unix":
		if !strings.HasPrefix(address, "/") {
			return fmt.Errorf("%q is not the absolute path of a socket", address)
		}
		return nil
	case "udp", "tcp":
		host, port, err := net.SplitHostPort(address)
		number, portErr := strconv.ParseUint(port, 10, 16)
		if err != nil || portErr != nil || number == 0 || host == "" {
			return fmt.Errorf("%q is not HOST:PORT, such as 10.0.0.9:514", address)
		}
		return nil
	}
	return fmt.Errorf("%q is not udp, tcp or unix", network)
}

// open implements [auditOutput]. A collector that is not there yet refuses no
// start: it may come up after the gateway.
func (o *auditSyslog) open() error { return nil }

// write implements [auditOutput]. A peer that has gone since the last message is
// connected to once more, and the message that failed is sent again.
func (o *auditSyslog) write(lines []byte, records int) (int, error) {
	return eachLine(lines, func(line []byte) error {
		old := o.conn != nil
		err := o.send(line)
		if err != nil && old && !isTimeout(err) {
			err = o.send(line)
		}
		return err
	})
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func (o *auditSyslog) send(line []byte) error {
	if err := o.connect(); err != nil {
		return err
	}
	o.buf = o.appendMessage(o.buf[:0], line)
	err := o.conn.SetWriteDeadline(time.Now().Add(o.timeout))
	if err == nil {
		_, err = o.conn.Write(o.buf)
	}
	if err != nil { // part of a frame may be sent: the stream cannot go on
		o.close()
		if isTimeout(err) {
			o.failed = time.Now()
		}
		return fmt.Errorf("sending to syslog: %w", err)
	}
	return nil
}

func (o *auditSyslog) connect() error {
	if o.conn != nil {
		return nil
	}
	if wait := redialInterval - time.Since(o.failed); wait > 0 {
		return errors.New("connecting to syslog: it failed a moment ago")
	}
	kinds := []string{o.network}
	if o.network == "unix" {
		kinds = []string{"unixgram", "unix"}
	}
	var err error
	for _, kind := range kinds {
		dialer := net.Dialer{Timeout: o.timeout}
		if o.conn, err = dialer.Dial(kind, o.address); err == nil {
			o.stream = kind == "tcp" || kind == "unix"
			return nil
		}
	}
	o.conn, o.failed = nil, time.Now()
	return fmt.Errorf("connecting to syslog: %w", err)
}

// appendMessage frames a record. The record's level and event are read back from
// the line, whose beginning is ours.
func (o *auditSyslog) appendMessage(dst, line []byte) []byte {
	header := o.appendHeader(make([]byte, 0, 400), line)
	if o.stream {
		dst = strconv.AppendInt(dst, int64(len(header)+len(line)), 10)
		dst = append(dst, ' ')
	}
	return append(append(dst, header...), line...)
}

// appendHeader writes `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD ` of
// RFC 5424 §6.
func (o *auditSyslog) appendHeader(dst, line []byte) []byte {
	severity := severityInfo
	switch fieldOf(line, "level") {
	case "WARN":
		severity = severityWarning
	case "ERROR":
		severity = severityError
	}
	dst = append(dst, '<')
	dst = strconv.AppendInt(dst, int64(facilityAuthPriv*8+severity), 10)
	dst = append(dst, ">1 "...)
	dst = append(dst, fieldOf(line, "time")...)
	dst = append(dst, ' ')
	dst = append(dst, o.host...)
	dst = append(dst, " authmin "...)
	dst = strconv.AppendInt(dst, int64(os.Getpid()), 10)
	dst = append(dst, ' ')
	dst = append(dst, fieldOf(line, "event")...)
	return append(dst, " - "...)
}

// fieldOf returns one of the first fields of a record, which are ours and hold
// no escapes; "-", the nil value of RFC 5424, if it is not there.
func fieldOf(line []byte, name string) string {
	_, rest, ok := bytes.Cut(line, []byte(`"`+name+`":"`))
	if !ok {
		return "-"
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// tick implements [auditOutput].
func (o *auditSyslog) tick(time.Time) {}

// close implements [auditOutput].
func (o *auditSyslog) close() {
	if o.conn != nil {
		_ = o.conn.Close()
		o.conn = nil
	}
}

// auditStderr is the output that writes to the process's standard error, one
// line a write: others write there too, and a line below PIPE_BUF stays whole.
type auditStderr struct{ to *os.File }

func (o auditStderr) open() error { return nil }

func (o auditStderr) write(lines []byte, records int) (int, error) {
	return eachLine(lines, func(line []byte) error {
		_, err := o.to.Write(line[:len(line)+1]) // with its line end
		return err
	})
}

func (o auditStderr) tick(time.Time) {}

func (o auditStderr) close() {}

// Interface guards
var (
	_ auditOutput      = (*auditFile)(nil)
	_ auditOutput      = (*auditSyslog)(nil)
	_ auditOutput      = auditStderr{}
	_ caddy.Destructor = (*auditQueue)(nil)
)
