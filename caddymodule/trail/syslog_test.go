package trail

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// rfc5424 is `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD MSG`.
var rfc5424 = regexp.MustCompile(`^<(\d+)>1 (\S+Z) (\S+) authmin (\d+) (\S+) - (\{.*\})$`)

func syslogLine(level, event string) []byte {
	return fmt.Appendf(nil, `{"time":"2026-11-22T01:02:03.000004Z","level":"%s","seq":1,"event":"%s"}`, level, event)
}

func expectMessage(t *testing.T, message string, pri int, event string) {
	t.Helper()
	m := rfc5424.FindStringSubmatch(message)
	if m == nil {
		t.Errorf("not RFC 5424: %s", message)
		return
	}
	if _, err := time.Parse(time.RFC3339Nano, m[2]); err != nil {
		t.Errorf("timestamp: %v", err)
	}
	if m[1] != strconv.Itoa(pri) || m[5] != event || !strings.Contains(m[6], event) {
		t.Errorf("got priority %s and event %s, want %d and %s", m[1], m[5], pri, event)
	}
}

// readFrame reads one message with octet counting.
func readFrame(r *bufio.Reader) (string, error) {
	digits, err := r.ReadString(' ')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(digits, " "))
	if err != nil {
		return "", err
	}
	message := make([]byte, n)
	_, err = io.ReadFull(r, message)
	return string(message), err
}

func TestDatagramsHoldOneMessageEach(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	for _, address := range []string{"udp 127.0.0.1:0", "unixgram " + socket} {
		kind, where, _ := strings.Cut(address, " ")
		t.Run(kind, func(t *testing.T) {
			collector, err := net.ListenPacket(kind, where)
			if err != nil {
				t.Fatal(err)
			}
			defer collector.Close()
			s := startSink(t, newSyslogOutput(strings.TrimSuffix(kind, "gram"), collector.LocalAddr().String()))
			buf := make([]byte, 2*MaxRecord)
			for _, c := range []struct {
				level, event string
				pri          int
			}{{"INFO", "auth_success", 86}, {"WARN", "auth_failed", 84}, {"ERROR", "startup_bind_refused", 83}} {
				if err := put(s, syslogLine(c.level, c.event), true); err != nil {
					t.Fatal(err)
				}
				_ = collector.SetReadDeadline(time.Now().Add(testkit.Limit))
				n, _, err := collector.ReadFrom(buf)
				if err != nil {
					t.Fatal(err)
				}
				expectMessage(t, string(buf[:n]), c.pri, c.event)
			}
		})
	}
}

func TestAStreamCountsOctetsAndIsConnectedToAgain(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	for _, address := range []string{"tcp 127.0.0.1:0", "unix " + socket} {
		kind, where, _ := strings.Cut(address, " ")
		t.Run(kind, func(t *testing.T) {
			l, err := net.Listen(kind, where)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			s := startSink(t, newSyslogOutput(kind, l.Addr().String()))
			put := func(level, event string) { _ = put(s, syslogLine(level, event), true) }
			for range 2 { // the second time after the collector has hung up
				put("INFO", "first")
				conn := acceptAfter(t, l, func() { put("INFO", "first") })
				frames := bufio.NewReader(conn)
				message := ""
				put("WARN", "second")
				for !strings.Contains(message, "second") { // behind firsts, and what tells of lost ones
					if message, err = readFrame(frames); err != nil {
						t.Fatal(err)
					}
				}
				expectMessage(t, message, 84, "second")
				conn.Close()
			}
			if n := valueOf(t, s.counters.Failed); n != 0 {
				t.Errorf("%d records failed, although a collector listened all the time", n)
			}
		})
	}
}

// acceptAfter accepts a connection. Until there is one it sends: the first write
// to a peer that has hung up succeeds, the next one tells.
func acceptAfter(t *testing.T, l net.Listener, send func()) net.Conn {
	t.Helper()
	var conn net.Conn
	testkit.Eventually(t, "a connection", func() bool {
		_ = l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(20 * time.Millisecond))
		var err error
		if conn, err = l.Accept(); err != nil {
			send()
		}
		return err == nil
	})
	_ = conn.SetDeadline(time.Now().Add(testkit.Limit))
	return conn
}

// A collector that accepts and never reads: its buffers fill up, then writes hang.
func TestACollectorThatNeverReadsDelaysNoRecord(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out := newSyslogOutput("tcp", l.Addr().String())
	out.timeout = time.Second
	s := startSink(t, out)
	line := fmt.Appendf(nil, `{"time":"x","level":"INFO","event":"e","x":"%s"}`, strings.Repeat("x", 3500))
	full := false // which only a sink that does not wait for its output can become
	if err := promptly(t, "putting", func() error {
		return testkit.Poll(testkit.Limit/2, func() error {
			for range 100 {
				full = errors.Is(put(s, line, false), ErrQueueFull) || full
			}
			if n := valueOf(t, s.counters.Failed); !full || n == 0 {
				return fmt.Errorf("the queue was full: %v; %d records were lost", full, n)
			}
			return nil
		})
	}); err != nil {
		t.Error(err)
	}
}

func TestACollectorMayComeLater(t *testing.T) {
	address := testkit.FreeAddress(t)
	s := startSink(t, newSyslogOutput("tcp", address))
	if err := put(s, syslogLine("INFO", "early"), true); err == nil {
		t.Fatal("a record was sent without a collector")
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	testkit.Eventually(t, "a record to be sent", func() bool { return put(s, syslogLine("INFO", "late"), true) == nil })
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	message, err := readFrame(bufio.NewReader(conn))
	if err != nil || !strings.Contains(message, `"event":"audit_gap","lost":`) {
		t.Errorf("got %s, %v; want first what was lost", message, err)
	}
}

func TestSyslogAddressesAreChecked(t *testing.T) {
	for _, good := range []string{"udp 10.0.0.9:514", "tcp [::1]:601", "tcp logs.example.com:601", "unix /dev/log"} {
		network, address, _ := strings.Cut(good, " ")
		if err := CheckSyslog(network, address); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"udp 10.0.0.9", "tcp :601", "udp x:0", "tcp x:http", "tls x:6514", "unix log", "unix ", " "} {
		network, address, _ := strings.Cut(bad, " ")
		if err := CheckSyslog(network, address); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
