package live_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

const (
	longVariable = "LLORCH_LONG_TESTS"

	shortStreams = 1_000
	longStreams  = 10_000
	otherStreams = 20

	// endLimit is the promise for 10,000 streams at once.
	endLimit = 2 * time.Second
	// heartbeat is how often the upstream sends; a thousandth of a core for
	// 10,000 streams.
	heartbeat = 500 * time.Millisecond
	// openers open streams side by side.
	openers = 32
	// left is what the gateway's heap may have more than before for each stream,
	// for pools and tables that keep their size: a tenth of what one takes at
	// least; and leftAtAll what it may have more however few they were.
	left      = 4 << 10
	leftAtAll = 16 << 20
)

// events is an upstream that streams until its client has gone.
type events struct{ serving atomic.Int64 }

func (e *events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.serving.Add(1)
	defer e.serving.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		if _, err := fmt.Fprint(w, "data: x\n\n"); err != nil {
			return
		}
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

func TestAllStreamsOfATokenEndAtOnce(t *testing.T) {
	up := &events{}
	number, scheme, limit := shortStreams, "http://", 5*endLimit // with a machine's other work
	upstream := httptest.NewUnstartedServer(up)
	if os.Getenv(longVariable) != "" {
		// Two sockets a stream are more than a process may open on many machines.
		number, scheme, limit = longStreams, "h2c://", endLimit
		upstream.Config.Protocols = new(http.Protocols)
		upstream.Config.Protocols.SetUnencryptedHTTP2(true)
		upstream.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 2 * longStreams}
	}
	upstream.Start()
	t.Cleanup(upstream.Close)
	g := startGateway(t, scheme+upstream.Listener.Addr().String())
	others := openAll(t, g, tokenStays, otherStreams)
	heap, goroutines := g.metric(t, "go_memstats_heap_inuse_bytes"), g.metric(t, "go_goroutines")
	doomed := openAll(t, g, tokenGone, number)
	full := g.metric(t, "go_memstats_heap_inuse_bytes")

	var ended sync.WaitGroup
	for _, s := range doomed {
		_ = s.conn.SetDeadline(time.Now().Add(10 * endLimit)) // too late, but an end
		ended.Go(func() {
			for s.event() == nil {
			}
		})
	}
	begun := time.Now()
	g.keyring(t, " state=revoked")
	ended.Wait()
	took := time.Since(begun)
	t.Logf("%d streams ended in %v (%.1f KB of heap each)", number, took, (full-heap)/float64(number)/1024)
	if took > limit {
		t.Errorf("the last of %d streams ended after %v, want %v", number, took, limit)
	}
	othersGoOn(t, others)
	nothingIsLeft(t, g, up, number, heap, goroutines)
}

// openAll opens streams, and closes what is left of them at the end.
func openAll(t *testing.T, g *gateway, token string, number int) []*stream {
	t.Helper()
	all := make([]*stream, number)
	var next atomic.Int64
	var opening sync.WaitGroup
	for range openers {
		opening.Go(func() {
			for i := next.Add(1) - 1; i < int64(number); i = next.Add(1) - 1 {
				s, err := g.open(token)
				if err != nil {
					t.Errorf("stream %d: %v", i, err)
					return
				}
				all[i] = s
			}
		})
	}
	opening.Wait()
	t.Cleanup(func() {
		for _, s := range all {
			if s != nil {
				s.conn.Close()
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return all
}

// othersGoOn reads two events more of each: one could have been on its way.
func othersGoOn(t *testing.T, others []*stream) {
	t.Helper()
	for i, s := range others {
		for range 2 + int(endLimit/heartbeat) {
			if err := s.event(); err != nil {
				t.Errorf("another token's stream %d: %v", i, err)
				break
			}
		}
	}
}

// nothingIsLeft looks at the upstream, the counters, the audit trail and the
// memory of the gateway.
func nothingIsLeft(t *testing.T, g *gateway, up *events, number int, heap, goroutines float64) {
	t.Helper()
	testkit.Within(t, 30*time.Second, "the end of everything", func() error {
		if n := up.serving.Load(); n != otherStreams {
			return fmt.Errorf("the upstream serves %d, want %d", n, otherStreams)
		}
		if n := g.metric(t, `caddy_authmin_streams_terminated_total{reason="revoked"}`); n != float64(number) {
			return fmt.Errorf("%v streams counted as ended, want %d", n, number)
		}
		if n := g.metric(t, "go_goroutines"); n > goroutines+otherStreams {
			return fmt.Errorf("%v goroutines, %v before", n, goroutines)
		}
		if n := g.metric(t, "go_memstats_heap_inuse_bytes"); n > heap+leftAtAll+float64(number)*left {
			return fmt.Errorf("%.1f MB of heap, %.1f before", n/(1<<20), heap/(1<<20))
		}
		trail, err := os.ReadFile(filepath.Join(g.folder, "audit"))
		if n := strings.Count(string(trail), `"event":"stream_terminated"`); err == nil && n != number {
			err = fmt.Errorf("%d ends on record, want %d", n, number)
		}
		return err
	})
	t.Logf("heap %.1f MB before, %.1f MB after", heap/(1<<20), g.metric(t, "go_memstats_heap_inuse_bytes")/(1<<20))
}
