package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestModelsAreListedForEachProtocol(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(frames, *http.Request, string) {})
	s.offers("m", "vllm", nil, 0, "org/model")
	s.offers("o", "ollama", []nodeapi.Protocol{nodeapi.Chat, nodeapi.Ollama}, 0, "tiny", "big:8b")
	for path, want := range map[string]string{
		"/v1/models":             `"id":"demo"`,
		"/v1/models/demo":        `"id":"demo"`,
		"/v1/models/demo:latest": `"id":"demo:latest"`, // its pool speaks Ollama's protocol
		"/v1/models/tiny":        `"id":"tiny"`,
		"/v1/models/org/model":   `"id":"org/model"`,
		"/api/tags":              `"name":"demo:latest"`,
		"/api/ps":                `"name":"demo:latest"`,
		"/api/version":           `"version":"`,
	} {
		if got := s.want(200, "GET", path, ""); !strings.Contains(got, want) {
			t.Errorf("%s: got %s", path, got)
		}
	}
	for path, want := range map[string]string{"/v1/models": `"id":"big:8b" "id":"demo" "id":"org/model" "id":"tiny:latest"`, "/api/tags": `"name":"big:8b" "name":"demo:latest" "name":"tiny:latest"`} {
		var names []string
		for part := range strings.SplitSeq(s.want(200, "GET", path, ""), ",") {
			if part = strings.TrimLeft(part, `{[`); strings.Contains(part, `"id":`) || strings.Contains(part, `"name":`) {
				names = append(names, part[max(strings.LastIndex(part, `"id":`), strings.LastIndex(part, `"name":`)):])
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	for _, name := range []string{"of/another", "org/model:latest", "demo:small"} {
		if got := s.want(404, "GET", "/v1/models/"+name, ""); !strings.Contains(got, `"code":"MODEL_NOT_FOUND"`) || !strings.Contains(got, `"code":"model_not_found"`) {
			t.Errorf("an unknown model: got %s", got)
		}
	}
}

func TestAnthropicsClientsGetTheirList(t *testing.T) {
	s := serve(t, Options{})
	version := []string{"Anthropic-Version", "2023-06-01"}
	if got, want := s.want(200, "GET", "/v1/models", "", version...), `{"data":[],"has_more":false,"first_id":null,"last_id":null}`; strings.TrimSpace(got) != want {
		t.Errorf("no model: got %s, want %s", got, want)
	}
	s.engine("n", 1, func(frames, *http.Request, string) {})
	s.offers("m", "vllm", nil, 4096, "b")
	const model = `{"type":"model","id":"NAME","display_name":"NAME","created_at":"1970-01-01T00:00:00Z","max_input_tokens":MAX,"max_tokens":null,"capabilities":null,"lifecycle":"active","line":null,"deprecated_at":null,"retires_at":null}`
	b, demo := strings.NewReplacer("NAME", "b", "MAX", "4096").Replace(model), strings.NewReplacer("MAX", "null").Replace(strings.ReplaceAll(model, "NAME", "demo"))
	if got, want := s.want(200, "GET", "/v1/models", "", version...), `{"data":[`+b+`,`+demo+`],"has_more":false,"first_id":"b","last_id":"demo"}`; strings.TrimSpace(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := s.want(200, "GET", "/v1/models/b", "", version...); strings.TrimSpace(got) != b {
		t.Errorf("got %s, want %s", got, b)
	}
	if got := s.want(404, "GET", "/v1/models/c", "", version...); !strings.Contains(got, `"type":"not_found_error"`) || !strings.HasSuffix(strings.TrimSpace(got), `"type":"error"}`) {
		t.Errorf("an unknown model: got %s", got)
	}
}

// TestAModelsContextIsWhatEachPoolHas: a request that fits it fits wherever it runs.
func TestAModelsContextIsWhatEachPoolHas(t *testing.T) {
	s := serve(t, Options{})
	s.offers("m", "vllm", nil, 8192, "a", "b")
	s.offers("n", "llamacpp", nil, 4096, "a")
	s.offers("o", "llamacpp", nil, 0, "a", "c")
	for model, want := range map[string]string{"a": `"context_length":4096,"max_model_len":4096,`, "b": `"context_length":8192,"max_model_len":8192,`, "c": `"owned_by":"llorch","ready":true`} {
		if got := s.want(200, "GET", "/v1/models/"+model, ""); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s in it", model, got, want)
		}
	}
}

// TestAModelHasItsContextUnderEachSpelling: a pool of Ollama lists tiny:latest, with its
// context, and reports that it was asked to load tiny.
func TestAModelHasItsContextUnderEachSpelling(t *testing.T) {
	s := serve(t, Options{})
	s.register("o", nodeapi.Pool{PoolID: "p", Engine: "ollama", ModelRef: "tiny", Ready: true, SlotsFree: 1, SlotsTotal: 1, Models: []string{"big:8b", "tiny:latest"},
		Workloads: nodeapi.WithContexts([]string{nodeapi.WorkloadCompletion}, []int64{8192, 4096})})
	s.register("v", nodeapi.Pool{PoolID: "p", Engine: "vllm", ModelRef: "plain", Ready: true, SlotsFree: 1, SlotsTotal: 1, Models: []string{"plain:latest"},
		Workloads: nodeapi.WithContexts([]string{nodeapi.WorkloadCompletion}, []int64{2048})})
	for model, want := range map[string]string{
		"tiny": `"context_length":4096,`, "tiny:latest": `"context_length":4096,`, "big:8b": `"context_length":8192,`,
		"plain": `"owned_by":"llorch","ready":true`, "plain:latest": `"context_length":2048,`, // without Ollama two models
	} {
		if got := s.want(200, "GET", "/v1/models/"+model, ""); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s in it", model, got, want)
		}
	}
}

// TestARetiredModelIsNotReachedUnderItsOtherSpelling: pools of Ollama's protocol take both
// spellings for one, so the catalog does.
func TestARetiredModelIsNotReachedUnderItsOtherSpelling(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) { out.hello() })
	s.want(201, "POST", "/v2/catalog/models", `{"id":"demo","aliases":["small"],"digest":"sha256:`+strings.Repeat("0", 64)+`","source_url":"file:x"}`)
	for _, path := range []string{"/v1/models", "/api/tags"} {
		if got := s.want(200, "GET", path, ""); !strings.Contains(got, `"small`) {
			t.Errorf("%s has no alias: %s", path, got)
		}
	}
	for _, name := range []string{"demo", "demo:latest", "small", "small:latest"} {
		s.want(200, "POST", "/v1/chat/completions", strings.Replace(chat, "demo", name, 1))
	}
	s.want(202, "POST", "/v2/catalog/models/demo/state", `{"state":"Retired"}`)
	for _, name := range []string{"demo", "demo:latest", "small", "small:latest"} {
		s.want(404, "POST", "/v1/chat/completions", strings.Replace(chat, "demo", name, 1))
		s.want(404, "GET", "/v1/models/"+name, "")
	}
}

// offers registers a node with a pool of these models, each with that context.
func (s *served) offers(node, engine string, protocols []nodeapi.Protocol, context int64, models ...string) {
	s.t.Helper()
	contexts := make([]int64, len(models))
	for i := range contexts {
		contexts[i] = context
	}
	s.register(node, nodeapi.Pool{PoolID: "p", Engine: engine, Ready: true, SlotsFree: 1, SlotsTotal: 1, Models: models,
		Workloads: nodeapi.WithContexts(nodeapi.WithProtocols([]string{nodeapi.WorkloadCompletion}, protocols), contexts)})
}

// register registers a node with a pool that is asked nothing.
func (s *served) register(node string, p nodeapi.Pool) {
	s.t.Helper()
	_, err := s.o.RegisterNode(s.t.Context(), orchestrator.Who{Identity: node}, nodeapi.RegisterRequest{
		NodeID: node, Address: "http://127.0.0.1:9", DispatchToken: "node-token-of-at-least-32-characters", Pools: []nodeapi.Pool{p},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
