package orchestrator_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// within is how long a test waits for something that should take milliseconds.
const within = 10 * time.Second

// service is a running orchestrator on a real socket, and who talks to it.
type service struct {
	*app.Service // nil when it runs in another process
	addr         string
	t            *testing.T
	direct       authmin.Secret // LLORCH_API_TOKEN
	gate         authmin.Secret // LLORCH_UPSTREAM_TOKEN
}

func start(t *testing.T, o app.Options) *service {
	t.Helper()
	s := &service{t: t, direct: authmin.RandomSecret(), gate: authmin.RandomSecret()}
	o.Listen, o.Token, o.UpstreamToken, o.Log = "127.0.0.1:0", s.direct, s.gate, cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.StateDir == "" {
		o.StateDir = t.TempDir()
	}
	var err error
	if s.Service, err = app.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	s.addr = s.Service.Addr()
	t.Cleanup(func() { s.Stop(context.Background()) })
	return s
}

// request makes a request as the gateway would, on behalf of an identity.
func (s *service) request(identity, scopes, method, path string, body any) *http.Request {
	s.t.Helper()
	var text []byte
	switch b := body.(type) {
	case nil:
	case string:
		text = []byte(b)
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			s.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 4*within) // streams too: no test hangs
	s.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.gate.Reveal())
	r.Header.Set("X-Auth-Identity", identity)
	r.Header.Set("X-Auth-Scopes", scopes)
	r.Header.Set("X-Auth-Models", "*")
	r.Header.Set("Content-Type", "application/json")
	return r
}

// send gives the status, the header and the decoded body.
func (s *service) send(r *http.Request) (int, http.Header, map[string]any) {
	s.t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var body map[string]any
	if len(text) > 0 && text[0] == '{' {
		if err := json.Unmarshal(text, &body); err != nil {
			s.t.Fatalf("%s %s: %v in %q", r.Method, r.URL.Path, err, text)
		}
	}
	return res.StatusCode, res.Header, body
}

// want sends and checks the status.
func (s *service) want(status int, identity, scopes, method, path string, body any) map[string]any {
	s.t.Helper()
	got, _, answer := s.send(s.request(identity, scopes, method, path, body))
	if got != status {
		s.t.Fatalf("%s %s as %s: got %d %v, want %d", method, path, identity, got, answer, status)
	}
	return answer
}

func task(extra string) string {
	return `{"model_ref":"demo","prompt":"hello","max_tokens":8` + extra + `}`
}

// submit takes a task as ci and gives its id.
func (s *service) submit(extra string) string {
	s.t.Helper()
	return s.want(202, "ci", "infer", "POST", "/v2/tasks", task(extra))["task_id"].(string)
}

// submitBody takes a task of any workload and gives its id.
func (s *service) submitBody(body string) string {
	s.t.Helper()
	return s.want(202, "ci", "infer", "POST", "/v2/tasks", body)["task_id"].(string)
}

func (s *service) state(id string) string {
	s.t.Helper()
	return s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)["state"].(string)
}

// event is one event as a client sees it.
type event struct{ ID, Type, Data string }

// follow opens a task's stream; closing the body hangs up.
func (s *service) follow(id, after string) *stream {
	s.t.Helper()
	r := s.request("ci", "infer", "GET", "/v2/tasks/"+id+"/events", nil)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { res.Body.Close() })
	return &stream{res, bufio.NewScanner(res.Body)}
}

type stream struct {
	*http.Response
	lines *bufio.Scanner
}

// next gives the next event, and false at the end. Comments count as nothing.
func (s *stream) next() (event, bool) {
	var ev event
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			ev.ID = value
		case "event":
			ev.Type = value
		case "data":
			ev.Data = value
		case "":
			if ev.Type != "" {
				return ev, true
			}
		}
	}
	return event{}, false
}

// rest gives all events that are left.
func (s *stream) rest() []event {
	var all []event
	for ev, ok := s.next(); ok; ev, ok = s.next() {
		all = append(all, ev)
	}
	return all
}

func types(events []event) string {
	var names []string
	for _, ev := range events {
		if len(names) == 0 || names[len(names)-1] != ev.Type {
			names = append(names, ev.Type)
		}
	}
	return strings.Join(names, " ")
}

// pool is a stand-in for a pool manager: a real server whose dispatch is the
// test's to script.
type pool struct {
	*httptest.Server
	id        string
	model     string
	workloads []string // none: completions only
	dispatch  func(out *sink, r nodeapi.DispatchRequest)
	command   func(w http.ResponseWriter, r *http.Request) // anything but a dispatch
	calls     chan nodeapi.DispatchRequest
}

// sink writes the answer of a dispatch.
type sink struct {
	w    http.ResponseWriter
	gone <-chan struct{} // closed when the orchestrator hangs up

	native *nativeSink // of a native call
}

// await waits until the test goes on, or the orchestrator hangs up: an answer that waits for a
// test that has failed would keep its server from closing.
func (s *sink) await(goOn <-chan struct{}) {
	select {
	case <-goOn:
	case <-s.gone:
	}
}

func (s *sink) send(ev nodeapi.Event) {
	if s.native != nil {
		s.native.send(ev)
		return
	}
	text, err := ev.AppendSSE(nil)
	if err != nil {
		panic(err)
	}
	s.w.Header().Set("Content-Type", "text/event-stream")
	s.w.Write(text)
	s.w.(http.Flusher).Flush()
}

func (s *sink) tokens(n int) {
	for i := range n {
		s.send(nodeapi.Event{Type: nodeapi.EventToken, Text: fmt.Sprintf("t%d ", i), Index: i})
	}
}

func (s *sink) end(n int) {
	s.send(nodeapi.Event{Type: nodeapi.EventEnd, TokensIn: 1, TokensOut: n, DecodeMS: 1, FinishReason: "stop"})
}

// die breaks the connection in the middle.
func (s *sink) die() { panic(http.ErrAbortHandler) }

const nodeToken = "node-token-of-at-least-32-characters"

func newPool(t *testing.T, dispatch func(*sink, nodeapi.DispatchRequest)) *pool {
	p := &pool{id: "p", dispatch: dispatch, calls: make(chan nodeapi.DispatchRequest, 1000)}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+nodeToken {
			w.WriteHeader(401)
			return
		}
		if strings.Contains(r.URL.Path, "/call/") {
			d, native, err := asDispatch(w, r)
			if err != nil {
				w.WriteHeader(400)
				return
			}
			p.calls <- d
			p.dispatch(&sink{w, r.Context().Done(), native}, d)
			return
		}
		if !strings.HasSuffix(r.URL.Path, "/dispatch") && p.command != nil {
			p.command(w, r)
			return
		}
		var d nodeapi.DispatchRequest
		if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
			w.WriteHeader(400)
			return
		}
		p.calls <- d
		p.dispatch(&sink{w, r.Context().Done(), nil}, d)
	}))
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	p.Start()
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

// echo answers n tokens and an end.
func echo(n int) func(*sink, nodeapi.DispatchRequest) {
	return func(out *sink, _ nodeapi.DispatchRequest) { out.tokens(n); out.end(n) }
}

func (p *pool) registration(node string, slots int) nodeapi.RegisterRequest {
	return nodeapi.RegisterRequest{
		NodeID: node, MachineID: "m", Address: p.URL, Version: "1", DispatchToken: nodeToken,
		Pools: []nodeapi.Pool{{PoolID: p.id, Engine: "demo", ModelRef: cmp.Or(p.model, "demo"), Ready: true, SlotsFree: slots, SlotsTotal: slots, Models: []string{cmp.Or(p.model, "demo")}, Workloads: nodeapi.WithProtocols(p.offered(), protocols)}},
	}
}

// offered is what the pool takes; an empty list would be completions as well, but for
// the protocols beside it.
func (p *pool) offered() []string {
	if p.workloads == nil {
		return []string{nodeapi.WorkloadCompletion}
	}
	return p.workloads
}

// join registers the pool as a node's only one.
func (s *service) join(node string, p *pool, slots int) {
	s.t.Helper()
	s.want(200, node, "nodes", "POST", "/v2/nodes/register", p.registration(node, slots))
}
