package bypass_test

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A recorder stands behind the gateway, or is what the same attack is tried on
// without one. It allows every origin everything, so that nothing but the
// gateway says no.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string][]*http.Request // by path, without preflights
}

func startRecorder(t *testing.T) *recorder {
	r := &recorder{seen: map[string][]*http.Request{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() {
		r.CloseClientConnections() // a WebSocket that neither side closes
		r.Close()
	})
	return r
}

func (rec *recorder) address() string { return rec.Listener.Addr().String() }

// total is the number of all requests so far.
func (rec *recorder) total() int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	n := 0
	for _, requests := range rec.seen {
		n += len(requests)
	}
	return n
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
	h.Set("Access-Control-Allow-Private-Network", "true")
	h.Set("Timing-Allow-Origin", "*")
	_, _ = io.Copy(io.Discard, r.Body)
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		return
	}
	rec.mu.Lock()
	rec.seen[r.URL.Path] = append(rec.seen[r.URL.Path], r)
	rec.mu.Unlock()
	switch {
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		shakeHands(w, r)
	case r.Header.Get("Accept") == "text/event-stream":
		h.Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: secret\n\n")
	default:
		h.Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>upstream</title>")
	}
}

// shakeHands opens a WebSocket (RFC 6455 §4.2.2) and closes it.
func shakeHands(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + guid))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	_, _ = conn.Write([]byte{0x88, 0x00}) // close
}
