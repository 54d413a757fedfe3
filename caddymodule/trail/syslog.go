package trail

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// localSyslog is where a local collector listens.
	localSyslog = "/dev/log"

	// redialInterval is the minimum time between two attempts to connect. In between,
	// records are dropped without waiting.
	redialInterval = time.Second
)

// syslogOutput is the output that sends each record as one message of RFC 5424:
// a datagram, or a frame with octet counting on a stream (RFC 6587 §3.4.1).
type syslogOutput struct {
	network, address string
	host             string
	timeout          time.Duration

	conn   net.Conn
	stream bool
	failed time.Time // when connecting last failed
	buf    []byte
}

func newSyslogOutput(network, address string) *syslogOutput {
	host, err := os.Hostname()
	if err != nil || host == "" || len(host) > 255 || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		host = "-"
	}
	return &syslogOutput{network: network, address: address, host: host, timeout: Timeout}
}

// CheckSyslog checks a network and an address, without connecting.
func CheckSyslog(network, address string) error {
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

// open implements [output]. A collector that does not answer does not prevent the start:
// it may start after the gateway.
func (o *syslogOutput) open() error { return nil }

// write implements [output]. If the peer has closed the connection since the last message,
// it connects once more, and sends the failed message again.
func (o *syslogOutput) write(lines []byte, _ int) (int, error) {
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

func (o *syslogOutput) send(line []byte) error {
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

func (o *syslogOutput) connect() error {
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

// tick implements [output].
func (o *syslogOutput) tick(time.Time) {}

// close implements [output].
func (o *syslogOutput) close() {
	if o.conn != nil {
		_ = o.conn.Close()
		o.conn = nil
	}
}
