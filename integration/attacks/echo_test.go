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
	"sync/atomic"
	"testing"
	"time"
)

// The echo upstream believes everybody and tells what it was sent.
type echo struct {
	*httptest.Server
	requests atomic.Int64 // all but GET /__count
}

func startEcho(t testing.TB) *echo {
	e := &echo{}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *echo) address() string { return e.Listener.Addr().String() }

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/__count" {
		fmt.Fprint(w, e.requests.Load())
		return
	}
	e.requests.Add(1)
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
