package orchestrator_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
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
		caller := authmin.Caller{Name: "ci", Scopes: []authmin.Scope{authmin.ScopeInfer}}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r.WithContext(authmin.WithCaller(t.Context(), caller)))
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
		if res.StatusCode != 503 || answer["code"] != "STATE_UNAVAILABLE" || res.Header.Get("Retry-After") != "5" {
			t.Errorf("%s: got %d %v, Retry-After %q", path, res.StatusCode, answer, res.Header.Get("Retry-After"))
		}
	}
	if res, answer := ask("GET", "/v2/tasks/"+id, ""); res.StatusCode != 200 || answer["state"] != "queued" {
		t.Errorf("reading on: got %d %v", res.StatusCode, answer)
	}
	b.cut(false)
}
