package caddymodule

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// liveLimit bounds waits in these tests. What is waited for takes half a second;
// a loaded machine gets more.
const liveLimit = 15 * time.Second

// keyring is a keyring file that a test rewrites as an operator would.
type keyring struct{ path string }

func newKeyring(t *testing.T, lines ...string) keyring {
	t.Helper()
	k := keyring{filepath.Join(t.TempDir(), "tokens")}
	k.write(t, lines...)
	return k
}

func (k keyring) write(t *testing.T, lines ...string) {
	t.Helper()
	next := k.path + ".next"
	if err := os.WriteFile(next, []byte(keyringText(lines...)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, k.path); err != nil {
		t.Fatal(err)
	}
}

func (k keyring) globals() string { return "\tauthmin {\n\t\ttoken_file " + k.path + "\n\t}\n" }

// stream is an upstream that sends a line every few milliseconds until its
// client has gone, and counts those that it serves.
type stream struct{ serving atomic.Int64 }

func (s *stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serving.Add(1)
	defer s.serving.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(w, "data: x\n\n"); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

const streamSite = "\tauthmin {\n\t\trequire infer /v1/*\n\t}\n\treverse_proxy %s {\n\t\tstream_close_delay 1h\n\t}\n"

// open begins a stream and returns what reads its lines.
func (g *gateway) open(t *testing.T, c *http.Client, token string) *bufio.Reader {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", g.base+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("stream: got %s", answer.Status)
	}
	lines := bufio.NewReader(answer.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatalf("stream: %v", err)
	}
	return lines
}

// ends reads a stream until it breaks, and fails if it goes on, or ends as if it were whole.
func ends(t *testing.T, lines *bufio.Reader) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { // until open's context ends the request
		_, err := io.Copy(io.Discard, lines)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the stream ended as if it were complete, want it broken off")
		}
	case <-time.After(liveLimit):
		t.Fatalf("after %v the stream goes on, want it broken off", liveLimit)
	}
}

func TestStreamsEndWithTheirTokenAndNoOthers(t *testing.T) {
	s := &stream{}
	up := newUpstream(t, s.ServeHTTP)
	for version, client := range clients(t) {
		t.Run(version, func(t *testing.T) {
			infer, boss := keyringLine("ci", tokenInfer, "infer"), keyringLine("boss", tokenAdmin, "admin")
			ring := newKeyring(t, infer, boss)
			g := serve(t, true, ring.globals(), fmt.Sprintf(streamSite, up.address()))
			mine, others := g.open(t, client, tokenInfer), g.open(t, client, tokenAdmin)
			before := testutil.ToFloat64(shared.terminated.WithLabelValues(string(authmin.ReasonRevoked)))

			ring.write(t, infer+" state=revoked", boss)
			ends(t, mine)
			testkit.Eventually(t, "the upstream to be told", func() bool { return s.serving.Load() == 1 })
			if _, err := others.ReadString('\n'); err != nil {
				t.Errorf("another token's stream: %v", err)
			}
			testkit.Eventually(t, "streams_terminated_total to grow by one", func() bool {
				return testutil.ToFloat64(shared.terminated.WithLabelValues(string(authmin.ReasonRevoked))) == before+1
			})
			testkit.Eventually(t, "the audit record", func() bool {
				for _, record := range g.records(t) {
					if record["event"] == eventStreamTerminated && record["token"] == "ci" && record["bytes"].(float64) > 0 {
						return true
					}
				}
				return false
			})
		})
	}
}

func TestAStreamEndsWhenItsTokenExpiresOrLosesTheScope(t *testing.T) {
	s := &stream{}
	up := newUpstream(t, s.ServeHTTP)
	soon := time.Now().Add(2 * time.Second).UTC().Format(time.RFC3339)
	for name, rest := range map[string]string{"expiry": "infer expires=" + soon, "scope": "metrics", "removal": ""} {
		t.Run(name, func(t *testing.T) {
			ring := newKeyring(t, keyringLine("ci", tokenInfer, "infer"))
			g := serve(t, false, ring.globals(), fmt.Sprintf(streamSite, up.address()))
			lines := g.open(t, plainClient(), tokenInfer)
			if rest == "" {
				ring.write(t, keyringLine("boss", tokenAdmin, "admin"))
			} else {
				ring.write(t, keyringLine("ci", tokenInfer, rest))
			}
			ends(t, lines)
		})
	}
}

func TestAnUnrelatedReloadLeavesStreamsAlone(t *testing.T) {
	s := &stream{}
	up := newUpstream(t, s.ServeHTTP)
	ring := newKeyring(t, keyringLine("ci", tokenInfer, "infer"))
	site := fmt.Sprintf(streamSite, up.address())
	g := serve(t, false, ring.globals(), site)
	lines := g.open(t, plainClient(), tokenInfer)
	g.load(t, ring.globals(), "\theader X-Other 1\n"+site)
	for range 500 { // 2.5 s, longer than the grace period of a second
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("after a reload: %v", err)
		}
	}
	ring.write(t, keyringLine("ci", tokenInfer, "infer state=revoked"))
	ends(t, lines)
}

func TestAClientThatDoesNotReadIsTerminatedToo(t *testing.T) {
	gone := make(chan struct{})
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		block := make([]byte, 64<<10)
		for r.Context().Err() == nil {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	ring := newKeyring(t, keyringLine("ci", tokenInfer, "infer"))
	g := serve(t, false, ring.globals(), fmt.Sprintf(streamSite, up.address()))
	conn := g.dial(t, "GET /v1/x HTTP/1.1\r\nHost: "+g.address+"\r\n"+asUser+"\r\n\r\n")
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	// The client stops reading, so that the gateway's write blocks.
	ring.write(t, keyringLine("ci", tokenInfer, "infer state=revoked"))
	select {
	case <-gone:
	case <-time.After(liveLimit):
		t.Fatal("the upstream is still writing")
	}
	testkit.Eventually(t, "the request to end", func() bool { return liveRequests(t) == 0 })
}

func TestATerminatedUploadIsNotCompletedForTheUpstream(t *testing.T) {
	result := make(chan error, 1)
	started := make(chan struct{})
	site := fmt.Sprintf(streamSite, rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		close(started)
		_, err := io.Copy(io.Discard, r.Body)
		result <- err
	}))
	ring := newKeyring(t, keyringLine("ci", tokenInfer, "infer"))
	g := serve(t, false, ring.globals(), site)
	conn := g.dial(t, "POST /v1/x HTTP/1.1\r\nHost: "+g.address+"\r\n"+asUser+"\r\nContent-Length: 1000000\r\n\r\nsome")
	<-started
	ring.write(t, keyringLine("ci", tokenInfer, "infer state=revoked"))
	select {
	case err := <-result:
		if err == nil {
			t.Error("the upstream got a complete body")
		}
	case <-time.After(liveLimit):
		t.Fatal("the upload goes on")
	}
	_ = conn.Close()
}

func TestAWebSocketIsClosedWithItsToken(t *testing.T) {
	backend := rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
		rw.Flush()
		_, _ = io.Copy(io.Discard, conn)
	})
	ring := newKeyring(t, keyringLine("ci", tokenInfer, "infer"))
	g := serve(t, false, ring.globals(), fmt.Sprintf(streamSite, backend))
	conn := g.dial(t, "GET /v1/ws HTTP/1.1\r\nHost: "+g.address+"\r\n"+asUser+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	answer := bufio.NewReader(conn)
	for line := ""; !strings.HasSuffix(line, "hello"); {
		c, err := answer.ReadByte()
		if err != nil {
			t.Fatalf("after %q: %v", line, err)
		}
		line += string(c)
	}
	ring.write(t, keyringLine("ci", tokenInfer, "infer state=revoked"))
	if _, err := answer.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the WebSocket is still open: %v", err)
	}
	testkit.Eventually(t, "the tunnel to end", func() bool { return liveRequests(t) == 0 })
}

// dial sends bytes to the gateway. Reads give up after a while.
func (g *gateway) dial(t *testing.T, request string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(liveLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return conn
}

// rawUpstream is an upstream that reads no body by itself.
func rawUpstream(t *testing.T, handler http.HandlerFunc) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close(); <-done })
	return l.Addr().String()
}

func liveRequests(t *testing.T) int {
	t.Helper()
	state, err := acquireState(shared)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseState()
	return state.live.len()
}
