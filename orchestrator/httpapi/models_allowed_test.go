package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// asks are the ways to ask for a model, and where the answer to a refusal says so.
var asks = map[string]struct{ path, body, message string }{
	"a task":          {"/v2/tasks", `{"model_ref":"M","prompt":"x"}`, "error.message"},
	"a native task":   {"/v2/tasks", `{"native":{"protocol":"chat","body":{"model":"M","messages":[]}}}`, "error.message"},
	"chat":            {"/v1/chat/completions", `{"model":"M","messages":[]}`, "error.message"},
	"completions":     {"/v1/completions", `{"model":"M","prompt":"x"}`, "error.message"},
	"responses":       {"/v1/responses", `{"model":"M","input":"x"}`, "error.message"},
	"messages":        {"/v1/messages", `{"model":"M","max_tokens":1,"messages":[]}`, "error.message"},
	"counted tokens":  {"/v1/messages/count_tokens", `{"model":"M","messages":[]}`, "error.message"},
	"embeddings":      {"/v1/embeddings", `{"model":"M","input":"x"}`, "error.message"},
	"rerank":          {"/v1/rerank", `{"model":"M","query":"x","documents":["y"]}`, "error.message"},
	"Ollama's chat":   {"/api/chat", `{"model":"M","messages":[]}`, "error"},
	"Ollama's show":   {"/api/show", `{"model":"M"}`, "error"},
	"its older name":  {"/api/show", `{"name":"M"}`, "error"},
	"Ollama's embeds": {"/api/embed", `{"model":"M","input":"x"}`, "error"},
}

// entry is a model of the catalog.
func (s *served) entry(id, more string) {
	s.t.Helper()
	s.want(201, "POST", "/v2/catalog/models", `{"id":"`+id+`",`+more+`"digest":"sha256:`+strings.Repeat("0", 64)+`","source_url":"file:x"}`)
}

// The list holds on each route, for each name of a model. An alias in it grants its model.
func TestTheModelsOfACallerAreEnforced(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 8, func(out frames, _ *http.Request, _ string) { out.hello() })
	s.entry("demo", `"aliases":["fast"],`)
	s.entry("big", `"aliases":["large"],"fallback":["demo"],`)
	for _, c := range []struct {
		list, model string
		allowed     bool
	}{
		{"demo", "demo", true}, {"demo", "fast", true}, {"demo", "demo:latest", true}, {"demo", "catalog:demo", true},
		{"fast", "demo", true}, {"fast", "fast", true}, {"f*", "demo", true}, {"large", "big", true},
		{"catalog:demo", "catalog:demo", true}, {"*", "demo", true},
		{"tiny", "demo", false}, {"tiny", "fast", false}, {"cat*", "catalog:demo", false}, {"demo*", "big", false},
		{"demo", "big", false}, {"demo", "unknown", false}, {"demo", "DEMO", false}, {"", "demo", false}, {"a, b", "a", false},
	} {
		for name, ask := range asks {
			if c.allowed && ask.path != "/v2/tasks" {
				continue // its answer would have to be waited for
			}
			res := s.send(t.Context(), "POST", ask.path, strings.Replace(ask.body, `"M"`, `"`+c.model+`"`, 1), authmin.HeaderModels, c.list)
			var body map[string]any
			_ = json.NewDecoder(res.Body).Decode(&body)
			if c.allowed {
				if res.StatusCode != http.StatusAccepted {
					t.Errorf("%s for %s with %q: got %d %v", name, c.model, c.list, res.StatusCode, body)
				}
				continue
			}
			message := textAt(body, ask.message)
			if res.StatusCode != http.StatusForbidden || !strings.Contains(message, "it may use") || ask.path != "/v2/tasks" && res.Header.Get(authmin.HeaderShouldRetry) != "false" {
				t.Errorf("%s for %s with %q: got %d %v", name, c.model, c.list, res.StatusCode, body)
			}
			if c.list != "" && !strings.Contains(c.list, " ") && !strings.Contains(message, c.list) {
				t.Errorf("%s for %s: %q does not name %q", name, c.model, message, c.list)
			}
		}
	}
}

func TestAnAllowedCallIsServed(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) { out.hello() })
	s.want(200, "POST", "/v1/chat/completions", chat, authmin.HeaderModels, "demo")
}

func textAt(body map[string]any, path string) string {
	at := any(body)
	for name := range strings.SplitSeq(path, ".") {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	text, _ := at.(string)
	return text
}

func TestListsOfModelsAreThoseOfTheCaller(t *testing.T) {
	s := serve(t, Options{})
	s.lists("n", fromOllama, nodeapi.Pool{PoolID: "p", Engine: "ollama", Ready: true, Models: []string{"big:8b", "tiny:latest"}})
	s.entry("big:8b", `"aliases":["large"],`)
	for list, want := range map[string][2]string{ // what is there, and what is not
		"tiny":  {"tiny", "big"},
		"large": {"big", "tiny"},
		"big:*": {"large", "tiny"},
		"":      {"", "tiny big"},
		"other": {"", "tiny big"},
		"*":     {"tiny big", ""},
	} {
		for _, path := range []string{"/v1/models", "/api/tags", "/v2/meta/capabilities", "/v1/capabilities"} {
			got := s.want(200, "GET", path, "", authmin.HeaderModels, list)
			for name := range strings.FieldsSeq(want[0]) {
				if !strings.Contains(got, `"`+name) {
					t.Errorf("%s with %q: %s is missing: %s", path, list, name, got)
				}
			}
			for name := range strings.FieldsSeq(want[1]) {
				if strings.Contains(got, `"`+name) {
					t.Errorf("%s with %q: %s is shown: %s", path, list, name, got)
				}
			}
		}
	}
	if got := s.want(200, "GET", "/api/ps", "", authmin.HeaderModels, "tiny"); strings.Contains(got, "big") {
		t.Errorf("a loaded model of others is shown: %s", got)
	}
	if got := s.want(200, "GET", "/v1/models", "", authmin.HeaderModels, "tiny", "Anthropic-Version", "2023-06-01"); strings.Contains(got, "big") {
		t.Errorf("Anthropic's list: %s", got)
	}
	s.want(200, "GET", "/v1/models/tiny:latest", "", authmin.HeaderModels, "tiny")
	hidden := s.want(404, "GET", "/v1/models/big:8b", "", authmin.HeaderModels, "tiny", "X-Correlation-Id", "a")
	if unknown := s.want(404, "GET", "/v1/models/none", "", authmin.HeaderModels, "tiny", "X-Correlation-Id", "a"); hidden != unknown {
		t.Errorf("a hidden model answers %s, an unknown one %s", hidden, unknown)
	}
}

// Routes that administer are closed to a caller with a list: one of them could name a model
// anew. A scope that is added is closed until it says that it checks.
func TestACallerWithAListMayNotAdminister(t *testing.T) {
	s := serve(t, Options{})
	closed := 0
	for _, route := range s.api.Routes() {
		if route.Public || route.Scopes[0] == authmin.ScopeInfer || route.Scopes[0] == authmin.ScopeMetrics {
			continue
		}
		closed++
		path := strings.NewReplacer("{id}", "x", "{id...}", "x").Replace(route.Path)
		if got := s.want(403, route.Method, path, "", authmin.HeaderModels, "demo"); !strings.Contains(got, `"code":"MODEL_NOT_ALLOWED"`) {
			t.Errorf("%s %s: got %s", route.Method, route.Path, got)
		}
	}
	if closed < 15 {
		t.Errorf("%d routes", closed)
	}
}
