package poolmanager

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestAnEngineThatSaysThatItIsBusyIsNotBrokenUnlessForLong(t *testing.T) {
	inBubble(t, 0, one(plan{}), []Template{swappable("p")}, func(b *bubble) {
		p := b.ready("p")
		for range 3 {
			b.stand.occupy(p.instance(), true)
			<-time.After(busyLimit - 10*time.Second)
			if s := p.status(); !s.Ready || s.Restarts != 0 {
				b.t.Fatalf("while it is busy: %+v", s)
			}
			b.stand.occupy(p.instance(), false)
			<-time.After(10 * time.Second)
		}
		b.stand.occupy(p.instance(), true)
		<-time.After(busyLimit + 10*time.Second)
		if s := p.status(); !s.Ready || s.Restarts != 1 || !strings.HasPrefix(s.LastError, "health: busy for 2m0s") {
			b.t.Errorf("when it is busy for ever: %+v", s)
		}
	})
}

func TestABusyEngineKeepsItsPoolAndGivesItsTextAndRetryAfter(t *testing.T) {
	var busy atomic.Bool
	mux := http.NewServeMux()
	refuse := func(w http.ResponseWriter, status int) {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error":{"message":"the queue is full"}}`))
	}
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		if busy.Load() {
			refuse(w, http.StatusTooManyRequests)
			return
		}
		_, _ = w.Write([]byte(`{"data":[{"id":"m"}]}`))
	})
	mux.HandleFunc("POST /v1/completions", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusServiceUnavailable) })
	engine := httptest.NewServer(mux)
	defer engine.Close()
	r := startRig(t, func(o *Options) { o.Templates = append(o.Templates, URLTemplate(engine.URL)) })
	r.ready(t, "p", "url", "")
	busy.Store(true)
	for range 5 {
		events, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "x"})
		if err != nil || len(events) != 1 {
			t.Fatalf("got %+v, %v, want an error event", events, err)
		}
		if e := events[0]; e.Code != "ENGINE_BUSY" || e.RetryAfterMS != 3000 || !strings.Contains(e.Message, "the queue is full") || !strings.Contains(e.Message, "503") {
			t.Errorf("got %+v, want ENGINE_BUSY, 3000 ms and the engine's words", e)
		}
	}
	begin := time.Now()
	testkit.Eventually(t, "many probes", func() bool { return time.Since(begin) > 10*quick.liveEvery })
	if s := r.status(t, "p"); !s.Ready || s.Restarts != 0 || s.Suspect || s.SlotsFree != s.SlotsTotal {
		t.Errorf("the pool of a busy engine: %+v", s)
	}
}

func TestOnlyTryLaterIsBusy(t *testing.T) {
	for status, want := range map[int]bool{429: true, 503: true, 500: false, 502: false, 504: false, 401: false, 404: false, 302: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		e := prober{server.Client(), time.Second}
		err := e.probe(t.Context(), &instance{template: Template{HealthPath: "/health"}, base: server.URL})
		server.Close()
		if err == nil || errors.Is(err, errEngineBusy) != want {
			t.Errorf("%d: got %v, want busy %v", status, err, want)
		}
	}
}
