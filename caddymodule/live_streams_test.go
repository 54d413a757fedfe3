package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// soonEnough bounds what has to come at once; the test ends far earlier. Caddy alone would
// delay a refusal for 60 s, and what has to be late in these tests is later than that.
const soonEnough = 30 * time.Second

// hangs is when a request that was not answered has failed, on any machine.
const hangs = 2 * time.Minute

// An event leaves when the upstream flushes it, not when the stream ends.
func TestEventsLeaveAtOnce(t *testing.T) {
	next := make(chan bool)
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		flusher := http.NewResponseController(w)
		_ = flusher.Flush()
		for i := 0; <-next; i++ {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = flusher.Flush()
		}
	})
	g := serve(t, true, twoTokens, "authmin {\n\trequire infer /v1/*\n}\nreverse_proxy "+up.address())
	for version, client := range clients(t) {
		t.Run(version, func(t *testing.T) {
			client.Timeout = hangs
			r, _ := http.NewRequest("GET", g.base+"/v1/events", nil)
			r.Header.Set("Authorization", "Bearer "+tokenInfer)
			answer, err := client.Do(r) // returns with the header, before any event
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			lines := bufio.NewReader(answer.Body)
			for i := range 3 {
				next <- true
				if line, err := lines.ReadString('\n'); line != fmt.Sprintf("data: %d\n", i) {
					t.Fatalf("got %q (%v)", line, err)
				}
				_, _ = lines.ReadString('\n')
			}
			next <- false
			if _, err := lines.ReadString('\n'); err != io.EOF {
				t.Errorf("got %v, want the end", err)
			}
		})
	}
}

// A WebSocket passes the guard with a token, and both sides are connected; it
// does not pass without one.
func TestUpgradeThroughTheGuard(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("X-Correlation-Id", "upstream")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		line, _ := both.ReadString('\n')
		fmt.Fprintf(conn, "echo %s", line)
	})
	g := serve(t, false, twoTokens, "authmin {\n\trequire infer /v1/*\n}\nreverse_proxy "+up.address())
	for credential, want := range map[string]int{asUser: http.StatusSwitchingProtocols, "X-None: x": http.StatusUnauthorized} {
		conn := dial(t, g.address)
		fmt.Fprintf(conn, "GET /v1/socket HTTP/1.1\r\nHost: %s\r\n%s\r\nConnection: Upgrade, X-Auth-Identity\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Correlation-Id: mine\r\n\r\n", g.address, credential)
		lines := bufio.NewReader(conn)
		answer, err := http.ReadResponse(lines, nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != want {
			t.Errorf("got %d, want %d", answer.StatusCode, want)
		}
		if id := answer.Header["X-Correlation-Id"]; len(id) != 1 || id[0] != "mine" {
			t.Errorf("got correlation ids %q", id)
		}
		if want != http.StatusSwitchingProtocols {
			if up.last() != nil {
				t.Error("the upstream was asked")
			}
			continue
		}
		if got := up.last().Header; got.Get("X-Auth-Identity") != "infer-user" || got["Authorization"] != nil {
			t.Errorf("the upstream got %v", got)
		}
		fmt.Fprint(conn, "hello\n")
		if line, err := lines.ReadString('\n'); line != "echo hello\n" {
			t.Errorf("got %q (%v)", line, err)
		}
	}
}

// A refusal does not wait for the body that the client is still sending.
func TestRefusalDoesNotWaitForTheBody(t *testing.T) {
	g := serve(t, false, twoTokens, "authmin {\n\trequire infer /v1/*\n}\nrespond ok")
	conn := dial(t, g.address)
	fmt.Fprintf(conn, "POST /v1/x HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000000000\r\n\r\n%s", g.address, strings.Repeat("a", 1000))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusUnauthorized || !answer.Close {
		t.Errorf("got %d, closing %t", answer.StatusCode, answer.Close)
	}
	if _, err := io.ReadAll(answer.Body); err != nil {
		t.Errorf("reading the answer: %v", err)
	}
}

// dial connects, and bounds what the test waits for.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(soonEnough)); err != nil {
		t.Fatal(err)
	}
	return conn
}
