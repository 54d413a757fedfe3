package attacks_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// peerHeader is what the proxies tell the upstream of the client's socket, so
// that a request which arrives late still counts for the case that sent it.
const peerHeader = "X-Attack-Peer"

// The echo upstream checks no credential and returns what it was sent.
type echo struct {
	*httptest.Server
	mu    sync.Mutex
	total int            // all requests but GET /__count
	from  map[string]int // the same, by peer
}

func startEcho(t testing.TB) *echo {
	e := &echo{from: map[string]int{}}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *echo) address() string { return e.Listener.Addr().String() }

// requests is the number of requests so far.
func (e *echo) requests() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.total
}

// requestsOf is the number of requests that came in by one client's socket.
func (e *echo) requestsOf(peer string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.from[peer]
}

func (e *echo) count(r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total++
	e.from[r.Header.Get(peerHeader)]++
	r.Header.Del(peerHeader)
}

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/__count" {
		fmt.Fprint(w, e.requests())
		return
	}
	e.count(r)
	w.Header().Set("X-Echo", "1")
	switch {
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && r.URL.Query().Get("no101") == "":
		echoSocket(w)
	case r.URL.Path == "/v1/sse":
		echoStream(w, r)
	default:
		echoRequest(w, r)
	}
}

func echoRequest(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body) // a cut body is the length it had
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(seen{
		Method: r.Method, URI: r.RequestURI, Path: r.URL.Path, Host: r.Host,
		Headers: r.Header, Trailers: r.Trailer, BodyLen: n,
	})
}

// echoStream sends an event every 50 ms until the client hangs up.
func echoStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		fmt.Fprintf(w, "data: %d\n\n", i)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// echoSocket agrees to a WebSocket and sends back whatever comes.
func echoSocket(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Echo: 1\r\n\r\n")
	copySocket(conn, buffered)
}

func copySocket(conn net.Conn, buffered *bufio.ReadWriter) { _, _ = io.Copy(conn, buffered) }
