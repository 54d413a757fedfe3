package caddymodule

import (
	"bufio"
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

// TestABodyThatIsNotReadIsNoRequest: an upstream refuses before it has read the body,
// which consists of requests. None of them may be served, however the bytes arrive.
func TestABodyThatIsNotReadIsNoRequest(t *testing.T) {
	var smuggled atomic.Int64
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/smuggled" {
			smuggled.Add(1)
			return
		}
		_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
		w.Header().Set("Connection", "close") // else net/http would wait for more of the body
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	t.Cleanup(up.Close)
	g := serve(t, false, twoTokens, "authmin {\n\trequire infer /v1/*\n}\nreverse_proxy "+up.URL)
	inner := "GET /v1/smuggled HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tokenInfer + "\r\nX-Pad: "
	inner += strings.Repeat("p", 256-len(inner)-4) + "\r\n\r\n"
	const pieces = 200 // of 16 KiB
	for range 3 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(hangs))
		go func() { // slowly: the answer comes in the middle
			fmt.Fprintf(conn, "POST /v1/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", tokenInfer, pieces*64*len(inner))
			for range pieces {
				if _, err := io.WriteString(conn, strings.Repeat(inner, 64)); err != nil {
					return
				}
				<-time.After(time.Millisecond)
			}
		}()
		reader := bufio.NewReader(conn)
		if answer, err := http.ReadResponse(reader, nil); err == nil { // or the connection was reset, which is as good
			_, _ = io.Copy(io.Discard, answer.Body)
			if answer.StatusCode != http.StatusRequestEntityTooLarge || !answer.Close {
				t.Errorf("got %d, %v, want 413 that closes the connection", answer.StatusCode, answer.Header)
			}
			if more, err := http.ReadResponse(reader, nil); err == nil {
				t.Errorf("a second answer: %d", more.StatusCode)
			}
		}
		conn.Close()
	}
	if n := smuggled.Load(); n > 0 {
		t.Errorf("%d requests were taken out of bodies", n)
	}
}

// TestABodyThatIsReadKeepsTheConnection: the next request comes on the same one.
func TestABodyThatIsReadKeepsTheConnection(t *testing.T) {
	up := newUpstream(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	g := serve(t, false, twoTokens, "authmin {\n\trequire infer /v1/*\n}\nreverse_proxy "+up.address())
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hangs))
	reader := bufio.NewReader(conn)
	for _, body := range []string{"Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "Content-Length: 0\r\n\r\n", "\r\n"} {
		fmt.Fprintf(conn, "POST /v1/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s", tokenInfer, body)
		answer, err := http.ReadResponse(reader, nil)
		if err != nil || answer.StatusCode != 200 || answer.Close {
			t.Fatalf("%q: got %v, %v, want 200 on a connection that stays", body, answer, err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
	}
}
