package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// within is how long a test waits for something that should take milliseconds.
const within = 10 * time.Second

// served is the API on a real socket; every caller is ci, with scope admin.
type served struct {
	*httptest.Server
	t     *testing.T
	api   *API
	o     *orchestrator.Orchestrator
	store *store.Store
	log   *testkit.Buffer
}

// serve runs the contract with the given options before an orchestrator.
func serve(t *testing.T, opts Options) *served {
	t.Helper()
	return serveWith(t, opts, orchestrator.Settings{})
}

func serveWith(t *testing.T, opts Options, settings orchestrator.Settings) *served {
	t.Helper()
	s := &served{t: t, log: &testkit.Buffer{}}
	var err error
	if s.store, err = store.Open(t.Context(), store.Options{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if s.o, err = orchestrator.New(t.Context(), orchestrator.Config{Settings: settings, Store: s.store, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	opts.Orchestrator, opts.Log = s.o, slog.New(slog.NewTextHandler(s.log, nil))
	s.api = New(opts)
	s.Server = httptest.NewServer(asCaller(s.api.Handler()))
	t.Cleanup(func() {
		s.o.Stop(context.Background())
		s.CloseClientConnections()
		s.Close()
		s.store.Close()
	})
	return s
}

// asCaller is backend.Authenticator for a test: a caller has every model, or the list of
// X-Auth-Models, which is none if that is empty.
func asCaller(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := backend.Caller{Name: "ci", Scopes: []authmin.Scope{authmin.ScopeAdmin}}
		if lines, ok := r.Header[authmin.HeaderModels]; ok {
			c.Models = new(authmin.Models)
			if list, err := authmin.ParseModels(lines[0]); err == nil {
				c.Models = list
			}
		}
		h.ServeHTTP(w, r.WithContext(backend.WithCaller(r.Context(), c)))
	})
}

// send makes a request and gives its answer; the test closes what it leaves open.
func (s *served) send(ctx context.Context, method, path, body string, header ...string) *http.Response {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, within)
	s.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client().Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	s.t.Cleanup(func() { res.Body.Close() })
	return res
}

// want sends, checks the status and gives the body.
func (s *served) want(status int, method, path, body string, header ...string) string {
	s.t.Helper()
	res := s.send(s.t.Context(), method, path, body, header...)
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		s.t.Fatalf("%s %s: got %d %s, %v, want %d", method, path, res.StatusCode, text, err, status)
	}
	return string(text)
}

// submit takes a task and gives its id.
func (s *served) submit() string {
	s.t.Helper()
	var a orchestrator.Admission
	if err := json.Unmarshal([]byte(s.want(202, "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"x"}`)), &a); err != nil {
		s.t.Fatal(err)
	}
	return a.TaskID
}

// pool registers a node with a pool of so many slots, whose dispatches f answers.
func (s *served) pool(slots int, f func(send func(nodeapi.Event), r *http.Request)) {
	s.t.Helper()
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		f(func(ev nodeapi.Event) {
			text, _ := ev.AppendSSE(nil)
			_, _ = w.Write(text)
			_ = http.NewResponseController(w).Flush()
		}, r)
	}))
	s.t.Cleanup(func() { p.CloseClientConnections(); p.Close() })
	_, err := s.o.RegisterNode(s.t.Context(), orchestrator.Who{Identity: "n"}, nodeapi.RegisterRequest{
		NodeID: "n", Address: p.URL, DispatchToken: "node-token-of-at-least-32-characters",
		Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "demo", Ready: slots > 0, SlotsFree: slots, SlotsTotal: slots}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// echo answers one token.
func echo(send func(nodeapi.Event), _ *http.Request) {
	send(nodeapi.Event{Type: nodeapi.EventToken, Text: "hello"})
	send(nodeapi.Event{Type: nodeapi.EventEnd, TokensIn: 1, TokensOut: 1, FinishReason: "stop"})
}

// frames writes the frames of a native call, each with a flush.
type frames struct {
	t *testing.T
	w http.ResponseWriter
}

func (f frames) send(kind nodeapi.FrameKind, payload string) {
	out, err := nodeapi.AppendFrame(nil, kind, []byte(payload))
	if err != nil {
		f.t.Error(err)
	}
	_, _ = f.w.Write(out)
	_ = http.NewResponseController(f.w).Flush()
}

func (f frames) value(kind nodeapi.FrameKind, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		f.t.Error(err)
	}
	f.send(kind, string(text))
}

// head begins an answer of 200.
func (f frames) head(contentType string) {
	f.value(nodeapi.FrameHead, nodeapi.CallHead{Status: 200, ContentType: contentType, Header: map[string]string{"Openai-Version": "1", "Set-Cookie": "no"}})
}

// hello streams one chunk, and ends.
func (f frames) hello() {
	f.head("text/event-stream")
	f.send(nodeapi.FrameData, "data: {\"content\":\"hello\"}\n\n")
	f.send(nodeapi.FrameLast, "data: [DONE]\n\n")
	f.value(nodeapi.FrameEnd, nodeapi.CallEnd{TokensIn: 1, TokensOut: 1, FinishReason: "stop", Succeeded: true})
}

// engine registers a node with a pool of so many slots, whose calls f answers.
func (s *served) engine(name string, slots int, f func(out frames, r *http.Request, body string)) {
	s.t.Helper()
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", nodeapi.CallContentType)
		f(frames{s.t, w}, r, string(body))
	}))
	s.t.Cleanup(func() { p.CloseClientConnections(); p.Close() })
	_, err := s.o.RegisterNode(s.t.Context(), orchestrator.Who{Identity: name}, nodeapi.RegisterRequest{
		NodeID: name, Address: p.URL, DispatchToken: "node-token-of-at-least-32-characters",
		Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "demo", Ready: slots > 0, SlotsFree: slots, SlotsTotal: slots,
			Workloads: nodeapi.WithProtocols([]string{nodeapi.WorkloadCompletion}, nodeapi.Protocols())}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
