package attacks_test

import (
	"bytes"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// How long a case waits: for the connection, for the next byte, for all of it,
// and for a byte too many once the expected responses are there.
const (
	dialWait  = 3 * time.Second
	byteWait  = 2 * time.Second
	totalWait = 3 * time.Second
	extraWait = 300 * time.Millisecond
)

// A response is one answer as the socket gave it.
type response struct {
	status int
	header map[string][]string // lower-case names
	body   []byte
}

var (
	statusLine  = regexp.MustCompile(`^HTTP/\d\.\d (\d{3})`)
	asksToClose = regexp.MustCompile(`(?i)connection: close`)
)

// exchange writes the bytes and reads what comes until the other side closes,
// says nothing more, or has sent the expected number of responses. An error is
// a connection that could not be made; one that breaks is an answer too.
func exchange(address string, wire []byte, responses int) ([]byte, error) {
	conn, err := net.DialTimeout("tcp", address, dialWait)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return exchangeOn(conn, wire, responses), nil
}

func exchangeOn(conn net.Conn, wire []byte, responses int) []byte {
	// The server may answer and close before it has read all of a long request.
	go func() { _, _ = conn.Write(wire) }()
	end := time.Now().Add(totalWait)
	wait := byteWait
	var got []byte
	chunk := make([]byte, 64<<10)
	for {
		next := time.Now().Add(wait)
		if next.After(end) {
			next = end
		}
		_ = conn.SetReadDeadline(next)
		n, err := conn.Read(chunk)
		got = append(got, chunk[:n]...)
		if err != nil { // closed, reset, or nothing more in time
			return got
		}
		if len(parse(got, isHead(wire))) >= max(responses, 1) && !asksToClose.Match(wire) {
			wait = extraWait
		}
	}
}

func isHead(wire []byte) bool { return bytes.HasPrefix(wire, []byte("HEAD")) }

// parse takes as many responses from the front as there are, the last one
// perhaps cut. The first has no body when the request was HEAD.
func parse(got []byte, head bool) []response {
	var all []response
	for {
		block, rest, ok := bytes.Cut(got, []byte("\r\n\r\n"))
		if !ok {
			return all
		}
		lines := strings.Split(string(block), "\r\n")
		m := statusLine.FindStringSubmatch(lines[0])
		if m == nil {
			return all
		}
		r := response{header: map[string][]string{}}
		r.status, _ = strconv.Atoi(m[1])
		for _, line := range lines[1:] {
			name, value, _ := strings.Cut(line, ":")
			name = strings.ToLower(strings.TrimSpace(name))
			r.header[name] = append(r.header[name], strings.TrimSpace(value))
		}
		switch {
		case r.status == 101:
			r.body = rest
			return append(all, r)
		case r.status == 100, r.status == 204, r.status == 304, head && len(all) == 0:
			got = rest
		default:
			r.body, got = parseBody(r.header, rest)
		}
		all = append(all, r)
	}
}

func parseBody(header map[string][]string, rest []byte) (body, after []byte) {
	if strings.Contains(strings.Join(header["transfer-encoding"], ","), "chunked") {
		return parseChunks(rest)
	}
	if length := header["content-length"]; len(length) > 0 {
		n, err := strconv.Atoi(length[0])
		if err != nil || n < 0 || n > len(rest) {
			n = len(rest)
		}
		return rest[:n], rest[n:]
	}
	return rest, nil
}

func parseChunks(rest []byte) (body, after []byte) {
	for {
		line, data, ok := bytes.Cut(rest, []byte("\r\n"))
		if !ok {
			return body, rest
		}
		size, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseUint(size, 16, 31)
		if err != nil {
			return body, rest
		}
		take := min(int(n), len(data))
		body = append(body, data[:take]...)
		rest = bytes.TrimPrefix(data[take:], []byte("\r\n"))
		if n == 0 {
			return body, rest
		}
	}
}

func TestParse(t *testing.T) {
	got := parse([]byte("HTTP/1.1 100 Continue\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nx-a: 2\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n"+
		"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nde"+
		"HTTP/1.1 204 No\r\n\r\n"+
		"HTTP/1.1 101 Switch\r\n\r\nfg"), false)
	want := []struct {
		status int
		body   string
	}{{100, ""}, {200, "abc"}, {401, "de"}, {204, ""}, {101, "fg"}}
	if len(got) != len(want) {
		t.Fatalf("got %d responses, want %d: %v", len(got), len(want), got)
	}
	for i, w := range want {
		if got[i].status != w.status || string(got[i].body) != w.body {
			t.Errorf("response %d = %d %q, want %d %q", i, got[i].status, got[i].body, w.status, w.body)
		}
	}
	if a := got[1].header["x-a"]; len(a) != 2 {
		t.Errorf("x-a = %q, want both lines", a)
	}
	if head := parse([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), true); len(head) != 1 {
		t.Errorf("HEAD: %v, want one response", head)
	}
}
