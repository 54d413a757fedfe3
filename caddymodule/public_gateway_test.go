package caddymodule

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// engine is an upstream with a few threads, as many engines have: each reads a
// whole request before it answers.
type engine struct {
	threads chan struct{}
	asked   atomic.Int64
}

func newEngine(threads int) *engine { return &engine{threads: make(chan struct{}, threads)} }

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.threads <- struct{}{}
	defer func() { <-e.threads }()
	e.asked.Add(1)
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return
	}
	<-time.After(2 * time.Millisecond)
	fmt.Fprint(w, n)
}

// open is a policy with public routes and one that needs a token.
const open = "\tauthmin {\n\t\tpublic GET,HEAD,POST /open/* /health\n\t\trequire infer /v1/*\n%s\t}\n\treverse_proxy %s\n"

func publicGateway(t *testing.T, secure bool, settings string, upstream http.HandlerFunc) *gateway {
	t.Helper()
	return serve(t, secure, twoTokens, fmt.Sprintf(open, settings, rawUpstream(t, upstream)))
}

// unending keeps what an attack holds for the time of a test: on a busy machine the
// default is over before the caller has asked.
const unending = "\t\tpublic_body 10m\n"

// endless is a body that gives its first bytes and then nothing.
func endless(t *testing.T, first int) io.ReadCloser {
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	go func() { _, _ = w.Write(make([]byte, first)) }()
	return r
}

// sendStart posts a body of which only the beginning comes.
func sendStart(t *testing.T, client *http.Client, url string, first int, length int64) (*http.Response, string) {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), "POST", url, endless(t, first))
	r.ContentLength = length
	return send(t, client, r)
}

func TestABodyOnAPublicGetIsRefused(t *testing.T) {
	e := newEngine(8)
	g := publicGateway(t, true, "", e.ServeHTTP)
	for version, client := range clients(t) {
		client.Timeout = soonEnough
		for _, c := range []struct {
			name, method, path string
			body               func() io.ReadCloser
			length             int64
			want               int
		}{
			{"no body", "GET", "/health", nil, 0, 200},
			{"no body", "HEAD", "/health", nil, 0, 200},
			{"a length", "GET", "/health", func() io.ReadCloser { return io.NopCloser(strings.NewReader("x")) }, 1, 400},
			{"a length", "HEAD", "/health", func() io.ReadCloser { return io.NopCloser(strings.NewReader("x")) }, 1, 400},
			{"a length that does not come", "GET", "/health", func() io.ReadCloser { return endless(t, 1) }, 100_000, 400},
			{"no length", "GET", "/open/x", func() io.ReadCloser { return endless(t, 1) }, -1, 400},
			{"no length and no byte", "GET", "/health", func() io.ReadCloser { return endless(t, 0) }, -1, 400},
			{"a body where one belongs", "POST", "/open/x", func() io.ReadCloser { return io.NopCloser(strings.NewReader("x")) }, 1, 200},
		} {
			before := e.asked.Load()
			r, _ := http.NewRequest(c.method, g.base+c.path, nil)
			if c.body != nil {
				r.Body, r.ContentLength = c.body(), c.length
			}
			answer, err := client.Do(r)
			if err != nil {
				t.Errorf("%s: %s with %s: %v", version, c.method, c.name, err)
				continue
			}
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			asked := e.asked.Load() - before
			if answer.StatusCode != c.want || (c.want == 200) != (asked == 1) {
				t.Errorf("%s: %s with %s: got %d, upstream asked %d times, want %d: %s", version, c.method, c.name, answer.StatusCode, asked, c.want, body)
			}
			if c.want == 400 && c.method == "GET" && !strings.Contains(string(body), `"UNEXPECTED_BODY"`) {
				t.Errorf("%s: %s with %s: got %s", version, c.method, c.name, body)
			}
		}
	}
}

// A small body is complete before the upstream is asked.
func TestASlowPublicBodyIsCut(t *testing.T) {
	e := newEngine(8)
	g := publicGateway(t, true, "\t\tpublic_body 1s\n", e.ServeHTTP)
	for version, client := range clients(t) {
		client.Timeout = hangs
		for _, c := range []struct {
			name   string
			first  int
			length int64
		}{
			{"nothing of it", 0, 1000},
			{"one byte", 1, 1000},
			{"one byte without a length", 1, -1},
			{"the beginning of a large one", 2 * publicBuffer, 4 * publicBuffer},
		} {
			answer, body := sendStart(t, client, g.base+"/open/x", c.first, c.length)
			if answer.StatusCode != 408 || !strings.Contains(body, `"BODY_TIMEOUT"`) {
				t.Errorf("%s, %s: got %d %s, want 408", version, c.name, answer.StatusCode, body)
			}
		}
	}
	if n := e.asked.Load(); n != 0 {
		t.Errorf("the upstream was asked %d times, want none", n)
	}
}

func TestAPublicBodyArrivesByteForByte(t *testing.T) {
	up := rawUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	g := serve(t, true, twoTokens, fmt.Sprintf(open, "", up))
	for version, client := range clients(t) {
		for _, size := range []int{0, 1, publicBuffer - 1, publicBuffer, publicBuffer + 1, 1 << 20, largeBuffer + publicBuffer, largeBuffer + publicBuffer + 1} {
			for _, known := range []bool{true, false} {
				sent := bytes.Repeat([]byte("0123456789abcdefX"), size/17+1)[:size]
				r, _ := http.NewRequest("POST", g.base+"/open/x", bytes.NewReader(sent))
				if !known && size > 0 {
					r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(sent)), -1
				}
				answer, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%s, %d bytes: got %d bytes back (%v)", version, size, len(got), err)
				}
			}
		}
	}
}

// The attack on an engine of eight threads: eight connections with a body of one
// byte now and then, and a hundred streams of one connection. A caller with a
// token is served all the while.
func TestPublicRequestsDoNotHoldTheThreadsOfAnUpstream(t *testing.T) {
	e := newEngine(8)
	g := publicGateway(t, true, unending, e.ServeHTTP)
	all := clients(t)
	var attack sync.WaitGroup
	for version, client := range all {
		for i := range 100 {
			method, path := "POST", "/open/x"
			if i%2 == 0 {
				method, path = "GET", "/health"
			}
			r, _ := http.NewRequestWithContext(t.Context(), method, g.base+path, endless(t, 1))
			r.ContentLength = 100_000
			if version != "HTTP/1.1" {
				r.ContentLength = -1
			}
			attack.Go(func() {
				if answer, err := client.Do(r); err == nil {
					answer.Body.Close()
				}
			})
		}
	}
	testkit.Eventually(t, "the attack to be under way", func() bool { return publicSlots(t) >= defaultPublicInflight })
	for version, client := range all {
		if version == "HTTP/2.0" {
			continue // its connection has no stream left for us: the attacker's own
		}
		for range 20 {
			ask := *client
			ask.Timeout = soonEnough
			if answer, _ := g.ask(t, &ask, "GET", "/v1/x", asUser); answer.StatusCode != 200 {
				t.Errorf("%s: with a token: got %d, want 200", version, answer.StatusCode)
			}
		}
	}
	if n := e.asked.Load(); n != 40 {
		t.Errorf("the upstream was asked %d times, want 40, for the caller alone", n)
	}
}

// strangers is the number of strangers' slots that are taken.
func publicSlots(t *testing.T) (n int) {
	t.Helper()
	state, err := acquireState(shared)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseState()
	for _, limiter := range state.public.limiters {
		limiter.mu.Lock()
		n += limiter.total
		limiter.mu.Unlock()
	}
	return n
}

// A page behind one address loads all of its files at once: those beyond its slots wait.
// How many are served while they wait depends on the machine; that none is refused before
// its time is over does not.
func TestAPageWithManyFilesIsServedToOneAddress(t *testing.T) {
	const files = 150 // more than its slots, fewer than slots and queue
	e := newEngine(8)
	g := publicGateway(t, true, "", e.ServeHTTP)
	for version, client := range clients(t) {
		client.Timeout = hangs
		var wg sync.WaitGroup
		var served, early atomic.Int64
		for i := range files {
			wg.Go(func() {
				start := time.Now()
				answer, err := client.Get(fmt.Sprintf("%s/open/file-%d.js", g.base, i))
				took := time.Since(start)
				if err != nil {
					t.Errorf("%s: %v", version, err)
					return
				}
				answer.Body.Close()
				switch {
				case answer.StatusCode == 200:
					served.Add(1)
				case answer.StatusCode != 429:
					t.Errorf("%s: got %d, want 200 or 429", version, answer.StatusCode)
				case took < publicWait:
					early.Add(1)
				}
			})
		}
		wg.Wait()
		if n := early.Load(); n > 0 {
			t.Errorf("%s: %d of %d files were refused without waiting %v for a slot", version, n, files, publicWait)
		}
		if n := served.Load(); n <= defaultPublicInflight {
			t.Errorf("%s: %d files were served, want more than the %d slots", version, n, defaultPublicInflight)
		}
	}
}

// A request counts until its answer begins: event streams and downloads of a
// public web application do not shut others of the same address out.
func TestAnAnswerThatHasBegunDoesNotCount(t *testing.T) {
	release := make(chan struct{})
	g := publicGateway(t, true, "\t\tpublic_inflight 1\n", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "begun")
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	for version, client := range clients(t) {
		for range 3 {
			answer, err := client.Get(g.base + "/open/events")
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if line, _ := bufio.NewReader(answer.Body).ReadString('\n'); answer.StatusCode != 200 || line != "begun\n" {
				t.Errorf("%s: got %d %q", version, answer.StatusCode, line)
			}
		}
	}
	close(release)
}

func TestThePublicLimitAnswers429(t *testing.T) {
	release := make(chan struct{})
	g := publicGateway(t, true, "\t\tpublic_inflight 2\n", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/open/hold") {
			<-release
		}
	})
	var wg sync.WaitGroup
	all := clients(t)
	for range 2 {
		wg.Go(func() { _, _ = all["HTTP/2.0"].Get(g.base + "/open/hold") })
	}
	testkit.Eventually(t, "both slots to be taken", func() bool { return publicSlots(t) == 2 })
	for version, client := range all {
		start := time.Now()
		answer, body := g.ask(t, client, "GET", "/open/x")
		took := time.Since(start)
		if answer.StatusCode != 429 || answer.Header.Get("Retry-After") != "1" || !strings.Contains(body, `"PUBLIC_LIMIT"`) || took < publicWait {
			t.Errorf("%s: got %d, Retry-After %q after %v: %s", version, answer.StatusCode, answer.Header.Get("Retry-After"), took, body)
		}
		if answer, _ := g.ask(t, client, "GET", "/v1/x", asUser); answer.StatusCode != 200 {
			t.Errorf("%s: with a token: got %d, want 200", version, answer.StatusCode)
		}
	}
	close(release)
	wg.Wait()
	if answer, _ := g.ask(t, all["HTTP/1.1"], "GET", "/open/x"); answer.StatusCode != 200 {
		t.Errorf("after the others ended: got %d, want 200", answer.StatusCode)
	}
	records := g.recordsOf(t, 9)
	refused := 0
	for _, r := range records {
		if r["reason"] == "limited" && r["decision"] == decisionRefuse && r["status"] == 429.0 {
			refused++
		}
	}
	if refused != 3 {
		t.Errorf("%d records of refused strangers, want 3", refused)
	}
}

// A WebSocket of a public route counts until it is there.
func TestAPublicUpgradePasses(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	g := serve(t, false, twoTokens, fmt.Sprintf(open, "\t\tpublic_inflight 1\n", up.address()))
	for range 3 {
		conn, err := net.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /open/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		r := bufio.NewReader(conn)
		answer, err := http.ReadResponse(r, nil)
		if err != nil || answer.StatusCode != 101 {
			t.Fatalf("got %v (%v), want 101", answer, err)
		}
		if line, err := r.ReadString('\n'); line != "hello\n" {
			t.Fatalf("got %q (%v)", line, err)
		}
	}
}

// A shadow guard bounds nothing, and says what would not have found a slot.
func TestAShadowGuardOnlyReportsThePublicLimit(t *testing.T) {
	release := make(chan struct{})
	g := publicGateway(t, false, "\t\tshadow\n\t\tpublic_inflight 1\n", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/open/hold" {
			<-release
		}
	})
	done := make(chan struct{})
	go func() { defer close(done); _, _ = plainClient().Get(g.base + "/open/hold") }()
	testkit.Eventually(t, "the slot to be taken", func() bool { return publicSlots(t) == 1 })
	if got := statusOf(t, g, "/open/x"); got != 200 {
		t.Errorf("beyond the bound: got %d, want 200", got)
	}
	r, _ := http.NewRequest("GET", g.base+"/open/x", strings.NewReader("body"))
	if answer, _ := send(t, plainClient(), r); answer.StatusCode != 200 {
		t.Errorf("with a body: got %d, want 200", answer.StatusCode)
	}
	close(release)
	<-done
	reasons := ""
	for _, r := range g.recordsOf(t, 3) {
		reasons += fmt.Sprint(r["decision"], " ", r["reason"], "; ")
	}
	if want := "allow ; would_deny limited; would_deny body; "; reasons != want {
		t.Errorf("got %q, want %q", reasons, want)
	}
}
