package caddymodule

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// flood is an upstream that writes without an end, and counts what it could write.
type flood struct {
	written atomic.Int64
	serving atomic.Int64
}

// block is what it writes at once.
var block = make([]byte, 64<<10)

func (f *flood) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.serving.Add(1)
	defer f.serving.Add(-1)
	f.write(r.Context(), w.Write)
}

func (f *flood) write(ctx context.Context, write func([]byte) (int, error)) {
	for ctx.Err() == nil {
		n, err := write(block)
		f.written.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// stalls waits until nothing was written for a while: every buffer between the upstream and
// the client is full, and the gateway's write to the client waits.
func (f *flood) stalls(t *testing.T) {
	t.Helper()
	const looks = 25
	last, same := int64(0), 0
	testkit.Eventually(t, "the upstream to write until all buffers are full", func() bool {
		now := f.written.Load()
		if now == 0 || now != last {
			last, same = now, 0
			return false
		}
		same++
		return same >= looks
	})
}

// TestAnHTTP2ClientThatDoesNotReadIsTerminatedToo: cancelling the request does not end a
// write that waits for the window of an HTTP/2 stream.
func TestAnHTTP2ClientThatDoesNotReadIsTerminatedToo(t *testing.T) {
	f := &flood{}
	ring := newKeyring(t, keyringLine("ci", tokenInfer, "infer"))
	g := serve(t, true, ring.globals(), fmt.Sprintf(streamSite, rawUpstream(t, f.ServeHTTP)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", g.base+"/v1/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	answer, err := clients(t)["HTTP/2.0"].Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.ProtoMajor != 2 || answer.StatusCode != http.StatusOK {
		t.Fatalf("got %s %s, want 200 over HTTP/2", answer.Proto, answer.Status)
	}
	f.stalls(t)
	ring.write(t, keyringLine("ci", tokenInfer, "infer state=revoked"))
	testkit.Within(t, liveLimit, "the request of the revoked token to end", func() error {
		if n := liveRequests(t); n > 0 {
			return fmt.Errorf("%d requests are in progress", n)
		}
		return nil
	})
}

// TestAWebSocketWhoseClientIsSilentIsClosed: a client that neither reads nor sends holds
// both directions of the tunnel. Closing the upstream's connection, as the proxy does when
// the request is cancelled, ends neither.
func TestAWebSocketWhoseClientIsSilentIsClosed(t *testing.T) {
	f := &flood{}
	backend := rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		rw.Flush()
		f.write(context.Background(), conn.Write)
	})
	ring := newKeyring(t, keyringLine("ci", tokenInfer, "infer"))
	g := serve(t, false, ring.globals(), fmt.Sprintf(streamSite, backend))
	conn := g.dial(t, "GET /v1/ws HTTP/1.1\r\nHost: "+g.address+"\r\n"+asUser+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if line, err := bufio.NewReaderSize(conn, 16).ReadString(' '); err != nil || !strings.HasPrefix(line, "HTTP/1.1") {
		t.Fatalf("got %q, %v, want an answer", line, err)
	}
	f.stalls(t)
	ring.write(t, keyringLine("ci", tokenInfer, "infer state=revoked"))
	testkit.Within(t, liveLimit, "the tunnel of the revoked token to end", func() error {
		if n := liveRequests(t); n > 0 {
			return fmt.Errorf("%d requests are in progress", n)
		}
		return nil
	})
}
