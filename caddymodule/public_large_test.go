package caddymodule

import (
	"bytes"
	"fmt"
	"net/http"
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
		g := publicGateway(t, true, "", e.ServeHTTP)
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
	g := publicGateway(t, true, "", e.ServeHTTP)
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

// A client that waits too long for its turn is told.
func TestALargeBodyWithoutASlotIsRefused(t *testing.T) {
	e := newEngine(8)
	g := publicGateway(t, true, "\t\tpublic_inflight 8\n\t\tpublic_body 3s\n", e.ServeHTTP)
	var wg sync.WaitGroup
	var told, late atomic.Int64
	for version, client := range clients(t) {
		for range 2 {
			r, _ := http.NewRequestWithContext(t.Context(), "POST", g.base+"/open/x", endless(t, largeBuffer+2*publicBuffer))
			r.ContentLength = largeBuffer + 4*publicBuffer
			wg.Go(func() {
				answer, err := client.Do(r)
				if err != nil {
					t.Errorf("%s: %v", version, err)
					return
				}
				answer.Body.Close()
				switch {
				case answer.StatusCode == 429 && answer.Header.Get("Retry-After") == "1":
					told.Add(1)
				case answer.StatusCode == 408:
					late.Add(1)
				default:
					t.Errorf("%s: got %d", version, answer.StatusCode)
				}
			})
		}
	}
	wg.Wait()
	if told.Load() == 0 || late.Load() == 0 {
		t.Errorf("%d told to wait and %d late, want some of each", told.Load(), late.Load())
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
