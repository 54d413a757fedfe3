package orchestrator_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// embedder stands in for a pool that takes every workload: the vector of a text
// is its length and its index, halved.
func embedder(t *testing.T) *pool {
	p := newPool(t, func(out *sink, r nodeapi.DispatchRequest) {
		for i := len(r.Inputs) - 1; i >= 0; i-- { // an engine may answer in any order
			if r.Workload == nodeapi.WorkloadRerank {
				out.send(nodeapi.Event{Type: nodeapi.EventScore, Index: i, Score: float64(len(r.Inputs[i])) / 8})
				continue
			}
			out.send(nodeapi.Event{Type: nodeapi.EventEmbedding, Index: i, Vector: vectorOf(r.Inputs[i], i)})
		}
		out.send(nodeapi.Event{Type: nodeapi.EventEnd, TokensIn: len(r.Inputs), DecodeMS: 1})
	})
	p.workloads = []string{"completion", "embedding", "rerank"}
	return p
}

func vectorOf(text string, i int) []float32 {
	return []float32{float32(len(text)) / 2, float32(i) / 2, -1.5e-5}
}

func TestEmbeddingsHaveTheOrderOfTheirTexts(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", embedder(t), 1)
	many := []string{"a", "<&>", strings.Repeat("x", 1000)}
	for name, c := range map[string]struct {
		input any
		texts []string
	}{
		"one text":   {many[0], many[:1]},
		"many texts": {many, many},
	} {
		_, _, got := s.send(s.request("ci", "infer", "POST", "/v1/embeddings", map[string]any{"model": "demo", "input": c.input}))
		vectors := []any{}
		for i, text := range c.texts {
			vector := []any{}
			for _, n := range vectorOf(text, i) {
				vector = append(vector, float64(n))
			}
			vectors = append(vectors, map[string]any{"index": float64(i), "embedding": vector})
		}
		n := float64(len(c.texts))
		want := map[string]any{"object": "list", "model": "demo", "data": vectors, "usage": map[string]any{"prompt_tokens": n, "completion_tokens": 0.0, "total_tokens": n}}
		same := cmp.Comparer(func(a, b float64) bool { return float32(a) == float32(b) })
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnIdempotencyKeyGivesTheSameEmbeddingOnce(t *testing.T) {
	s := start(t, app.Options{})
	p := embedder(t)
	s.join("n1", p, 1)
	send := func(body string) (int, http.Header, map[string]any) {
		r := s.request("ci", "infer", "POST", "/v1/embeddings", body)
		r.Header.Set("Idempotency-Key", "k")
		return s.send(r)
	}
	_, first, one := send(`{"model":"demo","input":"abc"}`)
	status, second, two := send(`{"model":"demo","input":"abc"}`)
	if status != 200 || first.Get("X-Task-Id") == "" || first.Get("X-Task-Id") != second.Get("X-Task-Id") {
		t.Errorf("got %d and task %q, want the task %q", status, second.Get("X-Task-Id"), first.Get("X-Task-Id"))
	}
	if diff := cmp.Diff(one, two); diff != "" {
		t.Errorf("the answers differ (-first +second):\n%s", diff)
	}
	status, header, body := send(`{"model":"demo","input":"other"}`)
	if status != 409 || body["code"] != "IDEMPOTENCY_KEY_REUSED" || header.Get("X-Should-Retry") != "false" {
		t.Errorf("another body: got %d %v %v, want 409 for good", status, header, body)
	}
	if n := len(p.calls); n != 1 {
		t.Errorf("%d dispatches, want 1", n)
	}
}

func TestMetricsOfAnEmbeddingHaveNoTokensOfItsOwn(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", embedder(t), 1)
	s.want(200, "ci", "infer", "POST", "/v1/embeddings", `{"model":"demo","input":["a","b"]}`)
	const labels = `gen_ai_operation_name="embeddings",gen_ai_provider_name="demo",gen_ai_request_model="demo"`
	testkit.Eventually(t, "the task is counted", func() bool {
		return strings.Contains(s.metrics(), "gen_ai_server_request_duration_seconds_count{"+labels+"} 1\n")
	})
	text := s.metrics()
	for line, there := range map[string]bool{
		"gen_ai_client_token_usage_sum{" + labels + `,gen_ai_token_type="input"} 2`: true,
		"tokens_in_total 2":              true,
		`gen_ai_token_type="output"`:     false,
		"time_to_first_token_seconds_":   false,
		"time_per_output_token_seconds_": false,
		"tokens_out_total{":              false,
		"latency_first_token_ms_count 0": true,
		`tasks_started_total{engine="demo",pool_id="p",priority="interactive"} 1`: true,
	} {
		if strings.Contains(text, line) != there {
			t.Errorf("%s: there = %v, want %v", line, !there, there)
		}
	}
}
