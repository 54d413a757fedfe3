package orchestrator_test

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/httpapi"
)

// TestAReplicaWithoutItsStoreSaysWhenToComeBack asks one that is cut off, as a
// client does.
func TestAReplicaWithoutItsStoreSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	a, b := rs[0], rs[1]
	a.node("n", newPool(t, echo(1)), 0)
	id := b.take(nil)
	api := httpapi.New(httpapi.Options{Orchestrator: b.Orchestrator, Log: slog.New(slog.DiscardHandler)}).Handler()
	ask := func(method, path, body string) (*http.Response, map[string]any) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		caller := backend.Caller{Name: "ci", Scopes: []authmin.Scope{authmin.ScopeInfer}}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r.WithContext(backend.WithCaller(t.Context(), caller)))
		var answer map[string]any
		if err := json.NewDecoder(w.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return w.Result(), answer
	}
	b.cut(true)
	for _, path := range []string{"/v2/tasks", "/v1/completions"} {
		body := map[string]string{"/v2/tasks": task(""), "/v1/completions": `{"model":"demo","prompt":"x"}`}[path]
		res, answer := ask("POST", path, body)
		if res.StatusCode != 503 || answer["code"] != "STATE_UNAVAILABLE" || res.Header.Get("Retry-After") != "2" {
			t.Errorf("%s: got %d %v, Retry-After %q", path, res.StatusCode, answer, res.Header.Get("Retry-After"))
		}
	}
	if res, answer := ask("GET", "/v2/tasks/"+id, ""); res.StatusCode != 200 || answer["state"] != "queued" {
		t.Errorf("reading on: got %d %v", res.StatusCode, answer)
	}
	unheard := a.take(nil) // b's memory cannot know it
	digest := strings.Repeat("a", 64)
	for _, path := range []string{"/v2/tasks/" + unheard, "/v2/tasks/" + unheard + "/events", "/v2/artifacts/" + digest} {
		if res, answer := ask("GET", path, ""); res.StatusCode != 503 || answer["code"] != "STATE_UNAVAILABLE" {
			t.Errorf("GET %s: got %d %v, want it not taken for lost", path, res.StatusCode, answer)
		}
	}
	b.cut(false)
}

// TestAStreamStaysOpenWhileTheStoreIsAway reads one whose events are all in the
// log: it begins with 200 and must not end before its end.
func TestAStreamStaysOpenWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	a, b := rs[0], rs[1]
	a.node("n", newPool(t, echo(2)), 1)
	id := a.take(nil)
	b.becomes(id, orchestrator.Completed)
	api := httpapi.New(httpapi.Options{Orchestrator: b.Orchestrator, Log: slog.New(slog.DiscardHandler), Streams: httpapi.Streams{Heartbeat: 20 * time.Millisecond}}).Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := backend.Caller{Name: "ci", Scopes: []authmin.Scope{authmin.ScopeInfer}}
		api.ServeHTTP(w, r.WithContext(backend.WithCaller(r.Context(), caller)))
	}))
	defer server.Close()
	b.cut(true)
	res, err := http.Get(server.URL + "/v2/tasks/" + id + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	alive := 0
	var events []event
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); {
		case lines.Text() == ": alive":
			if alive++; alive == 3 {
				b.cut(false)
			}
		case name == "event":
			events = append(events, event{Type: value})
		}
	}
	if alive < 3 || types(events) != "started token end" {
		t.Errorf("got %q after %d signs of life, want the stream to wait for its events", types(events), alive)
	}
}
