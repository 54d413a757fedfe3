package poolmanager

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// fakeOrchestrator notes what a node says; forget makes it answer 404 once.
type fakeOrchestrator struct {
	*httptest.Server
	mu            sync.Mutex
	calls         []string
	tokens        map[string]bool
	register      nodeapi.RegisterRequest
	last          nodeapi.HeartbeatRequest
	refuse        atomic.Int32 // how many registrations are still refused
	forget        atomic.Bool
	registrations atomic.Int32
	heartbeats    atomic.Int32
	hold          chan struct{} // not nil: answers that may be held back wait for it
	holding       atomic.Int32
}

func newFakeOrchestrator(t *testing.T) *fakeOrchestrator {
	f := &fakeOrchestrator{tokens: map[string]bool{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeOrchestrator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.hold != nil && r.Header.Get("Prefer") != "" && !f.forget.Load() {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the node hangs up
		f.holding.Add(1)
		select {
		case <-f.hold:
		case <-r.Context().Done():
		}
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	f.tokens[r.Header.Get("Authorization")] = true
	switch {
	case r.URL.Path == "/v2/nodes/register" && f.refuse.Add(-1) >= 0:
		w.WriteHeader(503)
	case r.URL.Path == "/v2/nodes/register":
		json.NewDecoder(r.Body).Decode(&f.register)
		f.registrations.Add(1)
		json.NewEncoder(w).Encode(nodeapi.RegisterResponse{NodeID: f.register.NodeID, NextHeartbeatMS: 60_000})
	case r.Method == "DELETE":
		w.WriteHeader(204)
	case f.forget.CompareAndSwap(true, false):
		w.WriteHeader(404)
	default:
		f.last = nodeapi.HeartbeatRequest{} // a test may still read the one before
		json.NewDecoder(r.Body).Decode(&f.last)
		f.heartbeats.Add(1)
		json.NewEncoder(w).Encode(nodeapi.HeartbeatResponse{NextHeartbeatMS: 100})
	}
}

func (f *fakeOrchestrator) seen() (calls []string, register nodeapi.RegisterRequest, last nodeapi.HeartbeatRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.calls...), f.register, f.last
}

func TestANodeRegistersBeatsComesBackAndLeaves(t *testing.T) {
	f := newFakeOrchestrator(t)
	f.refuse.Store(2)
	var token atomic.Pointer[authmin.Secret]
	first, second := authmin.RandomSecret(), authmin.RandomSecret()
	token.Store(&first)
	r := startRig(t, func(o *Options) {
		o.OrchestratorURL, o.OrchestratorToken = f.URL, func() authmin.Secret { return *token.Load() }
		o.DispatchToken, o.Preload = o.Token, []Preload{{PoolID: "p", Template: "demo"}}
	})
	testkit.Eventually(t, "the registration, after two refusals", func() bool { return f.registrations.Load() == 1 })
	_, said, _ := f.seen()
	if said.NodeID != "test-node" || said.Address != "http://"+r.Addr() || said.DispatchToken != r.token.Reveal() || said.MachineID == "" || said.Capabilities.CPUCores < 1 {
		t.Errorf("registered as %+v", said)
	}
	testkit.Eventually(t, "a heartbeat with the ready pool", func() bool {
		_, _, beat := f.seen()
		return len(beat.Pools) == 1 && beat.Pools[0].Ready && len(beat.Pools[0].Models) == 1 && beat.Pools[0].Models[0] == "demo"
	})
	token.Store(&second)
	f.forget.Store(true)
	testkit.Eventually(t, "the second registration", func() bool { return f.registrations.Load() == 2 })
	if err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls, _, _ := f.seen()
	if got := calls[len(calls)-1]; got != "DELETE /v2/nodes/test-node" {
		t.Errorf("the last call: got %q, want the deregistration", got)
	}
	for _, want := range []authmin.Secret{first, second} {
		if !f.tokens["Bearer "+want.Reveal()] {
			t.Error("one of the two tokens was never used")
		}
		if strings.Contains(r.log.String(), want.Reveal()) {
			t.Error("a token is in the log")
		}
	}
}

func TestThePeriodOfHeartbeatsStaysInBounds(t *testing.T) {
	for ms, want := range map[int64]any{
		0: heartbeatEvery, -1: heartbeatEvery, 1: heartbeatShortest, 5000: 5 * heartbeatEvery / 10, 1 << 62: heartbeatLongest,
	} {
		if got := period(ms); got != want {
			t.Errorf("%d ms: got %v, want %v", ms, got, want)
		}
	}
}

// TestALostOrchestratorIsNoticedAtOnce has an orchestrator that holds back the answer to a
// heartbeat, dies, and has forgotten the node: the node does not wait for its next heartbeat,
// which is due in a minute.
func TestALostOrchestratorIsNoticedAtOnce(t *testing.T) {
	f := newFakeOrchestrator(t)
	f.hold = make(chan struct{})
	t.Cleanup(func() { close(f.hold) }) // before the server is closed
	startRig(t, func(o *Options) { o.OrchestratorURL, o.OrchestratorToken = f.URL, authmin.RandomSecret })
	testkit.Eventually(t, "a heartbeat whose answer is held back", func() bool { return f.holding.Load() == 1 })
	f.forget.Store(true)
	f.CloseClientConnections()
	testkit.Eventually(t, "the second registration", func() bool { return f.registrations.Load() == 2 })
}

func TestAttemptsAreQuickWhileTheOrchestratorIsAway(t *testing.T) {
	refused := &nodeapi.StatusError{Status: http.StatusForbidden}
	for name, c := range map[string]struct {
		failed      error
		after       int
		least, most time.Duration
	}{
		"away":                      {nodeapi.ErrUnreachable, 20, retryLongest / 2, retryLongest},
		"its gateway has no answer": {&nodeapi.StatusError{Status: http.StatusBadGateway}, 20, retryLongest / 2, retryLongest},
		"away for long":             {nodeapi.ErrUnreachable, 10_000, retryLongest / 2, retryLongest},
		"refused":                   {refused, 20, registerLongest / 2, 3 * registerLongest / 2},
	} {
		r, got := newRetry(registerFirst), time.Duration(0)
		for range c.after {
			r.failed = c.failed
			got = r.NextBackOff()
		}
		if got < c.least || got > c.most {
			t.Errorf("%s: after %d attempts got %s, want %s to %s", name, c.after, got, c.least, c.most)
		}
	}
	for refusals, longest := range map[int]time.Duration{0: retryLongest, 1: retryLongest, 2: 2 * time.Second, 4: 8 * time.Second, 5: heartbeatEvery, 10_000: heartbeatEvery} {
		if got := again(refusals); got < longest/2 || got > longest {
			t.Errorf("a heartbeat after %d refusals: got %s", refusals, got)
		}
	}
	b := heartbeats{registration: &registration{log: slog.New(slog.DiscardHandler)}}
	for _, step := range []struct {
		err  error
		want int
	}{{refused, 1}, {refused, 2}, {nodeapi.ErrUnreachable, 0}, {nodeapi.ErrUnreachable, 0}, {refused, 1}, {nil, 0}} {
		if b.note(t.Context(), step.err); b.refusals != step.want {
			t.Errorf("after %v: got %d refusals in a row, want %d", step.err, b.refusals, step.want)
		}
	}
}

// TestTheFirstHeartbeatAfterARegistration: an orchestrator that forgets the node at each
// heartbeat does not get registrations without a pause.
func TestTheFirstHeartbeatAfterARegistration(t *testing.T) {
	for forgotten, want := range map[int]time.Duration{0: 0, 1: time.Second, 2: 2 * time.Second, 5: heartbeatEvery, 10_000: heartbeatEvery} {
		if got := rising(forgotten); got != want {
			t.Errorf("after %d registrations that were forgotten: got %s, want %s", forgotten, got, want)
		}
	}
}
