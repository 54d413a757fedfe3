package page

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// words are what a page must not show of a task.
const words = "the-words-of-a-prompt"

// orchestrator is one that says more than a page may show.
type orchestrator struct {
	*httptest.Server
	nodes string // of GET /v2/nodes; "": one node

	mu   sync.Mutex
	seen []*http.Request
}

func startOrchestrator(t *testing.T) *orchestrator {
	t.Helper()
	o := new(orchestrator)
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.seen = append(o.seen, r)
		o.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer "+tokenUpstream {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		admin := r.Header.Get(authmin.HeaderScopes) == "admin"
		switch {
		case r.URL.Path == "/v2/nodes" && !admin:
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/v2/nodes" && o.nodes != "":
			io.WriteString(w, o.nodes)
		case r.URL.Path == "/v2/nodes":
			fmt.Fprintf(w, `{"nodes":[{"node_id":"n1","state":"online","dispatch_token":%q,"pools":[{"pool_id":"p1","model_ref":%q,"slots_total":4,"last_error":%[1]q}]}],"count":1}`, words, strings.Repeat("m", 5000))
		case r.URL.Path == "/v2/tasks" && r.URL.Query().Get("state") == "queued":
			io.WriteString(w, `{"tasks":[{},{}],"next_cursor":"x"}`)
		case r.URL.Path == "/v2/tasks":
			fmt.Fprintf(w, `{"tasks":[{"task_id":"t1","owner":%q,"state":"failed","prompt":%q,"answer":%[2]q,"error":{"code":"BROKEN","message":%[2]q}}]}`, r.Header.Get(authmin.HeaderIdentity), words)
		case r.URL.Path == "/v2/meta/capabilities":
			io.WriteString(w, `{"queue":{"capacity":1000}}`)
		case r.URL.Path == "/v2/tasks/0190-1/events":
			io.WriteString(w, events)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(o.Close)
	return o
}

// events are those of a task, with its words in every kind that may carry them.
var events = "id: 1\nevent: started\ndata: {\"queue_position\":3,\"prompt\":\"" + words + "\"}\n\n" +
	"id: 2\nevent: token\ndata: {\"t\":\"" + words + "\",\"i\":0}\n\n" +
	"id: 3\nevent: chunk\ndata: {\"data\":\"" + strings.Repeat(words, 8000) + "\"}\n\n" +
	": alive\n\n" +
	"id: 4\nevent: unheard\ndata: {\"code\":\"" + words + "\"}\n\n" +
	"id: 5\nevent: waiting\ndata: {\"reason\":\"" + strings.Repeat("r", 20<<10) + "\"}\n\n" +
	"id: 6\nevent: error\ndata: {\"code\":\"BROKEN\",\"engine\":\"vllm\",\"message\":\"" + words + "\"}\n\n"

func block(o *orchestrator) string {
	return "\t\torchestrator " + o.URL + "\n\t\tupstream_token {env.TEST_UPSTREAM}"
}

// The orchestrator is asked with the gateway's credential and the holder's identity, as by
// a proxy behind a guard, and never with the holder's token or what else it sent.
func TestTheOrchestratorIsAskedInTheHoldersName(t *testing.T) {
	o := startOrchestrator(t)
	s := serve(t, options, block(o))
	boss, user := follow(t, s.page+livePath, asBoss, "X-Other: "+words), follow(t, s.page+livePath, asUser)
	f := find[fleet](boss, "fleet", nil)
	if f.Problem != "" || f.NodesTotal != 1 || f.Queued != 2 || !f.QueuedMore || f.Capacity != 1000 || f.Tasks[0].Owner != "boss" || len(f.Nodes[0].Pools[0].Model) > maxText {
		t.Errorf("boss sees %+v", f)
	}
	f = find[fleet](user, "fleet", nil)
	if f.Problem != "" || f.Nodes != nil || f.Tasks[0].Owner != "user" || f.Tasks[0].Error.Code != "BROKEN" {
		t.Errorf("user sees %+v", f)
	}
	if text := boss.all.String() + user.all.String(); strings.Contains(text, words) {
		t.Errorf("the page shows what a task says:\n%s", text)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.seen {
		who, scopes := r.Header.Get(authmin.HeaderIdentity), r.Header.Get(authmin.HeaderScopes)
		if !(who == "boss" && scopes == "admin" || who == "user" && scopes == "infer") || r.Header.Get(authmin.HeaderCorrelationID) == "" {
			t.Errorf("%s was asked for %q with %q", r.URL, who, scopes)
		}
		for name, values := range r.Header {
			if text := strings.Join(values, " "); strings.Contains(text, tokenUser) || strings.Contains(text, tokenBoss) || strings.Contains(text, words) {
				t.Errorf("%s: the holder's token, or another field of its request, is in %s", r.URL, name)
			}
		}
	}
}

// Of a task's events the page has what they say about the task, and the number of those
// with the answer.
func TestTheEventsOfATaskHaveNoAnswer(t *testing.T) {
	o := startOrchestrator(t)
	s := serve(t, options, block(o))
	stream := follow(t, s.page+tasksPath+"0190-1/events", asUser)
	for stream.read() {
	}
	if text := stream.all.String(); strings.Contains(text, words[:8]) || strings.Contains(text, "rrr") {
		t.Errorf("the page shows what the task says:\n%.2000s", text)
	}
	find(stream, "task", func(e taskEvent) bool { return e.Event == "started" && *e.Data.QueuePosition == 3 })
	find(stream, "progress", func(p progress) bool { return p.Pieces == 3 })
	find(stream, "task", func(e taskEvent) bool { return e.Event == "waiting" && e.Data.Reason == "" })
	find(stream, "task", func(e taskEvent) bool {
		return e.Event == "error" && e.Data.Code == "BROKEN" && e.Data.Engine == "vllm"
	})
	for path, want := range map[string]int{"0190-2/events": 502, "..%2Fnodes/events": 400, "x%3Fy/events": 404, strings.Repeat("1", 65) + "/events": 404} {
		if got := ask(t, t.Context(), http.MethodGet, s.page+tasksPath+path, "Authorization: "+asUser).StatusCode; got != want {
			t.Errorf("%s: status %d, want %d", path, got, want)
		}
	}
}

// A holder sees why there is nothing, and not where the orchestrator is.
func TestAnOrchestratorThatIsGone(t *testing.T) {
	o := startOrchestrator(t)
	s := serve(t, options, block(o))
	o.Close()
	user := follow(t, s.page+livePath, asUser)
	if f := find[fleet](user, "fleet", nil); f.Problem != "the orchestrator does not answer" {
		t.Errorf("got %+v", f)
	}
}

// Nodes that say too much do not hide the tasks.
func TestNodesThatAreTooLongHideNoTask(t *testing.T) {
	o := startOrchestrator(t)
	o.nodes = `{"nodes":[{"node_id":"` + strings.Repeat("n", maxAnswer) + `"}]}`
	boss := follow(t, serve(t, options, block(o)).page+livePath, asBoss)
	if f := find[fleet](boss, "fleet", nil); len(f.Tasks) != 1 || f.Problem != "" || f.Nodes != nil || !strings.Contains(f.NodesProblem, "too long") {
		t.Errorf("got %+v", f)
	}
}

// A redirect could lead the gateway's credential to another address.
func TestRedirectsAreNotFollowed(t *testing.T) {
	o := startOrchestrator(t)
	away := httptest.NewServer(http.RedirectHandler(o.URL+"/v2/nodes", http.StatusTemporaryRedirect))
	defer away.Close()
	u, err := newUpstream(away.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	defer u.client.CloseIdleConnections()
	identity := http.Header{"Authorization": {"Bearer " + tokenUpstream}, authmin.HeaderScopes: {"admin"}}
	if err := u.read(t.Context(), identity, "/v2/nodes", new(any)); err != statusError(http.StatusTemporaryRedirect) {
		t.Errorf("got %v", err)
	}
	if len(o.seen) != 0 {
		t.Errorf("the other address was asked %d times", len(o.seen))
	}
}

// The certificate of an orchestrator on another machine is verified.
func TestTheCertificateIsVerified(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	u, err := newUpstream(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.get(t.Context(), nil, "/"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
}
