package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// Bodies that are too large to be read before the upstream is asked do not hold its
// threads either: eight of them, of which the rest does not come.
func TestLargePublicBodiesDoNotHoldTheThreadsOfAnUpstream(t *testing.T) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"} {
		e := newEngine(8)
		g := publicGateway(t, true, unending, e.ServeHTTP)
		all := clients(t)
		var answered atomic.Int64
		for range defaultPublicInflight {
			r, _ := http.NewRequestWithContext(t.Context(), "POST", g.base+"/open/x", endless(t, largeBuffer+2*publicBuffer))
			r.ContentLength = largeBuffer + 4*publicBuffer
			go func() {
				if answer, err := all[version].Do(r); err == nil {
					answer.Body.Close()
					answered.Add(1)
				}
			}()
		}
		most := defaultPublicInflight / slotsPerLarge
		testkit.Eventually(t, "each of them to have a thread, to wait for a turn or to be refused", func() bool {
			return len(e.threads) == most && int64(most+waitingForATurn(t))+answered.Load() == defaultPublicInflight
		})
		for v, client := range clients(t) { // with connections of their own
			for range 4 {
				ask := *client
				ask.Timeout = soonEnough
				if answer, _ := g.ask(t, &ask, "GET", "/v1/x", asUser); answer.StatusCode != 200 {
					t.Errorf("%s, attacked on %s: with a token: got %d, want 200", v, version, answer.StatusCode)
				}
			}
		}
		if n := len(e.threads); n > most {
			t.Errorf("%s: strangers hold %d threads, want at most %d", version, n, most)
		}
	}
}

// Those who do send what they announce have their turn, one after the other.
func TestLargePublicBodiesOfOneAddressAllArrive(t *testing.T) {
	e := newEngine(8)
	g := publicGateway(t, true, unending, e.ServeHTTP)
	for version, client := range clients(t) {
		var wg sync.WaitGroup
		var served atomic.Int64
		size := 1 << 20
		if version == "HTTP/1.1" {
			size = largeBuffer + 3*publicBuffer // these wait for a turn
		}
		for range defaultPublicInflight {
			wg.Go(func() {
				answer, err := client.Post(g.base+"/open/x", "application/octet-stream", bytes.NewReader(make([]byte, size)))
				if err != nil {
					t.Errorf("%s: %v", version, err)
					return
				}
				defer answer.Body.Close()
				var got int
				if _, err := fmt.Fscan(answer.Body, &got); answer.StatusCode == 200 && err == nil && got == size {
					served.Add(1)
				}
			})
		}
		wg.Wait()
		if served.Load() != defaultPublicInflight {
			t.Errorf("%s: %d of %d bodies arrived", version, served.Load(), defaultPublicInflight)
		}
	}
	testkit.Eventually(t, "slots and memory to be given back", func() bool { return publicSlots(t) == 0 && gathered(t) == 0 })
}

// largeLimits are settings of public_body. A large body has that time to be read, and to
// wait for its turn: on a busy machine a test needs more of it.
var largeLimits = []string{"1s", "4s", "16s", "64s"}

// largeGateway has a guard for each limit, below the path of its name.
func largeGateway(t *testing.T, upstream http.HandlerFunc) *gateway {
	t.Helper()
	site, address := "", rawUpstream(t, upstream)
	for _, limit := range largeLimits {
		site += fmt.Sprintf("\thandle /%s/* {\n\t\tauthmin at%s {\n\t\t\tpublic POST /%[1]s/*\n\t\t\tpublic_body %[1]s\n\t\t}\n\t\treverse_proxy %[3]s\n\t}\n", limit, limit, address)
	}
	return serve(t, true, twoTokens, site)
}

// expectForLarge sends the beginning of a large body to one guard after the other, until
// one had time for it, and returns that answer.
func expectForLarge(t *testing.T, g *gateway, client *http.Client, length int64, inTime func(answer *http.Response) bool) (*http.Response, string) {
	t.Helper()
	for _, limit := range largeLimits {
		answer, body := sendStart(t, client, g.base+"/"+limit+"/x", largeBuffer+2*publicBuffer, length)
		if inTime(answer) {
			return answer, body
		}
	}
	t.Fatalf("the body was not read in %s", largeLimits[len(largeLimits)-1])
	return nil, ""
}

// lengthsOfLarge are a length that is announced, and none.
var lengthsOfLarge = []int64{largeBuffer + 4*publicBuffer, -1}

// Of a large body the upstream has the beginning, and is let go at the deadline.
func TestALargeSlowPublicBodyIsCut(t *testing.T) {
	var began, ended atomic.Int64
	g := largeGateway(t, func(w http.ResponseWriter, r *http.Request) {
		began.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		ended.Add(1)
	})
	for version, client := range clients(t) {
		client.Timeout = hangs
		for _, length := range lengthsOfLarge {
			was := began.Load()
			answer, body := expectForLarge(t, g, client, length, func(*http.Response) bool { return began.Load() > was })
			if answer.StatusCode != 408 || !strings.Contains(body, `"BODY_TIMEOUT"`) {
				t.Errorf("%s, length %d: got %d %s, want 408", version, length, answer.StatusCode, body)
			}
			testkit.Eventually(t, "the upstream to be let go", func() bool { return ended.Load() == began.Load() })
		}
	}
}

// A client that waits too long for its turn is told.
func TestALargeBodyWithoutASlotIsRefused(t *testing.T) {
	e := newEngine(8)
	g := largeGateway(t, e.ServeHTTP)
	holdLarge(t)
	for version, client := range clients(t) {
		client.Timeout = hangs
		for _, length := range lengthsOfLarge {
			answer, body := expectForLarge(t, g, client, length, func(answer *http.Response) bool { return answer.StatusCode != 408 })
			if answer.StatusCode != 429 || answer.Header.Get("Retry-After") != "1" || !strings.Contains(body, `"PUBLIC_LIMIT"`) {
				t.Errorf("%s, length %d: got %d %s, want 429", version, length, answer.StatusCode, body)
			}
		}
	}
	if n := e.asked.Load(); n != 0 {
		t.Errorf("the upstream was asked %d times, want none", n)
	}
}

// holdLarge takes all slots for large bodies, of every guard.
func holdLarge(t *testing.T) {
	t.Helper()
	state, err := acquireState(shared)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { releaseState() })
	total := defaultPublicTotal / totalPerLarge
	for _, limiter := range state.public.limiters {
		for range total {
			slot := acquireNow(t, limiter.large, clientA, publicRule{inflight: total, total: total})
			t.Cleanup(slot.release)
		}
	}
}

// waitingForATurn is how many large bodies wait.
func waitingForATurn(t *testing.T) (n int) {
	t.Helper()
	state, err := acquireState(shared)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseState()
	for _, limiter := range state.public.limiters {
		limiter.large.mu.Lock()
		n += len(limiter.large.queue)
		limiter.large.mu.Unlock()
	}
	return n
}

// gathered is how much of strangers' bodies is in memory.
func gathered(t *testing.T) (bytes int64) {
	t.Helper()
	state, err := acquireState(shared)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseState()
	for _, limiter := range state.public.limiters {
		bytes += limiter.gathered.Load()
	}
	return bytes
}

// What is gathered is bounded for all bodies together.
func TestTheMemoryOfLargeBodiesIsBounded(t *testing.T) {
	limiter := newPublicLimiter()
	var slots []*publicSlot
	for range 2 * largeMemory / publicBuffer {
		p := &publicSlot{limiter: limiter}
		slots = append(slots, p)
		p.reserveMemory(publicBuffer)
	}
	if got := limiter.gathered.Load(); got != largeMemory {
		t.Errorf("%d bytes are gathered, want %d", got, largeMemory)
	}
	for _, p := range slots {
		p.releaseMemory()
		p.releaseMemory()
	}
	if got := limiter.gathered.Load(); got != 0 {
		t.Errorf("%d bytes are left, want none", got)
	}
}
