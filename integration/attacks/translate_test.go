package attacks_test

import (
	"bytes"
	"io"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A field is one line of a field section of HTTP/2 or HTTP/3; the names of
// pseudo-fields begin with a colon.
type field struct{ name, value string }

// A message is a request as HTTP/2 and HTTP/3 can say it, well-formed or not.
type message struct {
	fields   []field
	body     []byte
	trailers []field
	open     bool // more of the body is announced than is sent
	// Both versions forbid a field of it (RFC 9113 §8.2.2, RFC 9114 §4.2): the
	// request must be refused, whatever HTTP/1.1 makes of it.
	malformed bool
}

// maxUnasked is what of a body is sent without waiting for a larger window.
const maxUnasked = 32 << 10

// Why a case cannot be said in another version than HTTP/1.1.
const (
	noPipelining = "pipelining: requests have streams of their own"
	noLine       = "the request line or the line ends are those of HTTP/1"
	noChunks     = "chunked framing: there is no Transfer-Encoding"
	noUpgrade    = "Upgrade: there is none; WebSockets come by an extended CONNECT"
)

// translate says a raw case without HTTP/1.1, or why that cannot be done.
func translate(t testing.TB, c testCase, address string) (m message, wire []byte, why string) {
	t.Helper()
	// The listeners speak TLS, so an origin of theirs does too.
	raw := strings.NewReplacer("Origin: http://", "Origin: https://", "Referer: http://", "Referer: https://").Replace(c.Raw)
	wire, err := expand(raw, address)
	if err != nil {
		t.Fatalf("%s: %v", c.ID, err)
	}
	head, body, whole := bytes.Cut(wire, []byte("\r\n\r\n"))
	lines := strings.Split(string(head), "\r\n")
	request, isHTTP1 := strings.CutSuffix(lines[0], " HTTP/1.1")
	if !isHTTP1 {
		request, isHTTP1 = strings.CutSuffix(lines[0], " HTTP/1.0")
	}
	method, target, ok := strings.Cut(request, " ")
	switch {
	case c.Responses > 1 || c.Expect.StatusList != nil || c.Expect.StatusListAlt != nil:
		return m, wire, noPipelining
	case !whole || !isHTTP1 || !ok || strings.Contains(string(head), "\n ") || strings.Contains(string(head), "\n\t"):
		return m, wire, noLine
	}
	m.fields = []field{{":method", method}, {":scheme", "https"}, {":path", target}}
	m.body = body
	return m, wire, m.addLines(lines[1:])
}

func (m *message) addLines(lines []string) (why string) {
	var rest []field
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.Contains(line, "\n") {
			return noLine
		}
		name, value = strings.ToLower(name), strings.Trim(value, " \t")
		switch name {
		case "host":
			if !m.has(":authority") {
				m.fields = append(m.fields, field{":authority", value})
				continue
			}
		case "connection":
			if isPlainConnection(value) {
				continue
			}
			m.malformed = true
		case "upgrade":
			return noUpgrade
		case "transfer-encoding":
			whole, rest, err := dechunk(m.body)
			if value != "chunked" || err != nil || len(rest) > 0 {
				return noChunks
			}
			m.body = whole
			continue
		case "content-length":
			if n, err := strconv.Atoi(value); err == nil && n > len(m.body) {
				m.open = true
			}
		}
		rest = append(rest, field{name, value})
	}
	m.fields = append(m.fields, rest...)
	if m.open {
		m.body = m.body[:min(len(m.body), maxUnasked)]
	}
	return ""
}

func (m *message) has(name string) bool {
	return slices.ContainsFunc(m.fields, func(f field) bool { return f.name == name })
}

// isPlainConnection: what an HTTP/1.1 client says of its own connection, which
// a client of another version leaves out.
func isPlainConnection(value string) bool {
	switch strings.ToLower(value) {
	case "close", "keep-alive", "te":
		return true
	}
	return false
}

// dechunk reads a chunked body without trailers, and what comes behind it.
func dechunk(body []byte) (whole, rest []byte, err error) {
	if !bytes.HasSuffix(body, []byte("\r\n0\r\n\r\n")) || bytes.Count(body, []byte("0\r\n\r\n")) != 1 {
		return nil, body, io.ErrUnexpectedEOF
	}
	whole, err = io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body)))
	return whole, nil, err
}

// expectation is what a case expects of the other versions: the same, but that
// a stream that is reset counts as 400.
func (m *message) expectation(e expect) expect {
	no := false
	if m.malformed {
		return expect{Status: []int{400}, Upstream: &no}
	}
	return e
}
