package orchestrator_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func inputs(workload, extra string) string {
	return fmt.Sprintf(`{"model_ref":"demo","workload":%q,"inputs":["a","bb"]%s}`, workload, extra)
}

func TestEmbeddingAndRerankTasksTellTheirResults(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", embedder(t), 1)
	for workload, c := range map[string]struct {
		body string
		want []event
	}{
		"embedding": {inputs("embedding", ""), []event{
			{"2", "embedding", `{"i":1,"embedding":[1,0.5,-0.000015]}`}, {"3", "embedding", `{"i":0,"embedding":[0.5,0,-0.000015]}`}}},
		"rerank": {inputs("rerank", `,"prompt":"query"`), []event{
			{"2", "score", `{"i":1,"score":0.25}`}, {"3", "score", `{"i":0,"score":0.125}`}}},
	} {
		id := s.want(202, "ci", "infer", "POST", "/v2/tasks", c.body)["task_id"].(string)
		events := s.follow(id, "").rest()
		if got := types(events); got != "started "+c.want[0].Type+" end" {
			t.Fatalf("%s: got %s", workload, got)
		}
		if diff := cmp.Diff(c.want, events[1:3]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", workload, diff)
		}
		if rest := s.follow(id, "2").rest(); len(rest) != 2 || rest[0] != c.want[1] {
			t.Errorf("%s, resumed after 2: got %v", workload, rest)
		}
		record := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
		if record["workload"] != workload || record["state"] != "completed" || record["tokens_in"] != 2.0 || record["tokens_out"] != 0.0 || record["max_tokens"] != 0.0 {
			t.Errorf("%s: the record is %v", workload, record)
		}
	}
}

func TestARequestFitsItsWorkload(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", embedder(t), 1)
	many := strings.Repeat(`,"x"`, nodeapi.MaxInputs)
	for name, body := range map[string]string{
		"a completion with inputs":        task(`,"inputs":["a"]`),
		"a completion of inputs":          inputs("completion", ""),
		"an embedding of a prompt":        inputs("embedding", `,"prompt":"x"`),
		"an embedding of a chat":          inputs("embedding", `,"messages":[{"role":"user","content":"x"}]`),
		"an embedding of nothing":         `{"model_ref":"demo","workload":"embedding"}`,
		"an embedding of an empty text":   `{"model_ref":"demo","workload":"embedding","inputs":["a",""]}`,
		"an embedding of too many texts":  `{"model_ref":"demo","workload":"embedding","inputs":["x"` + many + `]}`,
		"a rerank without a query":        inputs("rerank", ""),
		"a rerank of a chat":              inputs("rerank", `,"messages":[{"role":"user","content":"x"}]`),
		"a rerank without documents":      `{"model_ref":"demo","workload":"rerank","prompt":"q"}`,
		"a workload that there is not":    inputs("poem", ""),
		"a rerank of too many documents":  `{"model_ref":"demo","workload":"rerank","prompt":"q","inputs":["x"` + many + `]}`,
		"a rerank with an empty document": `{"model_ref":"demo","workload":"rerank","prompt":"q","inputs":[""]}`,
	} {
		if status, _, answer := s.send(s.request("ci", "infer", "POST", "/v2/tasks", body)); status != 422 {
			t.Errorf("%s: got %d %v, want 422", name, status, answer)
		}
	}
}

// TestATaskGoesOnlyWhereItsWorkloadIsTaken has a pool that would be chosen
// first, and takes completions only.
func TestATaskGoesOnlyWhereItsWorkloadIsTaken(t *testing.T) {
	s := start(t, app.Options{})
	wrong, right := newPool(t, echo(1)), embedder(t)
	right.workloads = []string{"embedding"}
	s.join("n1", wrong, 8)
	s.join("n2", right, 1)
	id := s.want(202, "ci", "infer", "POST", "/v2/tasks", inputs("embedding", ""))["task_id"].(string)
	if got := types(s.follow(id, "").rest()); got != "started embedding end" {
		t.Errorf("got %s", got)
	}
	if len(wrong.calls) != 0 {
		t.Error("the pool that takes completions only got an embedding")
	}
	s.follow(s.submit(""), "").rest()
	if len(right.calls) != 1 {
		t.Error("the pool that takes embeddings only got a completion")
	}
	status, _, body := s.send(s.request("ci", "infer", "POST", "/v2/tasks", inputs("rerank", `,"prompt":"q"`)))
	if status != 404 || body["code"] != "WORKLOAD_NOT_AVAILABLE" {
		t.Errorf("a workload that no pool takes: got %d %v", status, body)
	}
}

func TestCapabilitiesNameTheWorkloadsOfTheNodes(t *testing.T) {
	s := start(t, app.Options{})
	got := func() []any {
		return s.want(200, "ci", "infer", "GET", "/v1/capabilities", nil)["workloads"].([]any)
	}
	if w := got(); len(w) != 0 {
		t.Errorf("without a node: %v", w)
	}
	s.join("n1", newPool(t, echo(1)), 1)
	if diff := cmp.Diff([]any{"completion"}, got()); diff != "" {
		t.Errorf("a pool that names none (-want +got):\n%s", diff)
	}
	p := embedder(t)
	p.workloads = []string{"rerank", "embedding", "of-a-later-version"}
	s.join("n2", p, 1)
	if diff := cmp.Diff([]any{"completion", "embedding", "rerank"}, got()); diff != "" {
		t.Errorf("with another (-want +got):\n%s", diff)
	}
	for _, workloads := range [][]string{{""}, {strings.Repeat("x", 33)}, slices.Repeat([]string{"x"}, 9)} {
		p.workloads = workloads
		s.want(422, "n3", "nodes", "POST", "/v2/nodes/register", p.registration("n3", 1))
	}
}

// TestAPoolThatAnswersSomethingElseIsNotBelieved has pools that lie about what
// they were asked. Before the first result another pool is tried; after it the
// task ends.
func TestAPoolThatAnswersSomethingElseIsNotBelieved(t *testing.T) {
	vector := func(i, width int) nodeapi.Event {
		return nodeapi.Event{Type: nodeapi.EventEmbedding, Index: i, Vector: make([]float32, width)}
	}
	end := nodeapi.Event{Type: nodeapi.EventEnd, TokensIn: 2}
	for name, events := range map[string][]nodeapi.Event{
		"ends early":            {vector(0, 2), end},
		"one twice":             {vector(0, 2), vector(0, 2), end},
		"one that there is not": {vector(0, 2), vector(2, 2), end},
		"of different lengths":  {vector(0, 2), vector(1, 3), end},
		"a score":               {vector(0, 2), {Type: nodeapi.EventScore, Index: 1}, end},
		"a token":               {vector(0, 2), {Type: nodeapi.EventToken, Text: "x"}, end},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, app.Options{})
			liar := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
				for _, ev := range events {
					out.send(ev)
				}
			})
			liar.workloads = []string{"embedding"}
			s.join("n1", liar, 1)
			id := s.submitBody(`{"model_ref":"demo","workload":"embedding","inputs":["a","b"]}`)
			events := s.follow(id, "").rest()
			if last := events[len(events)-1]; last.Type != "error" || !strings.Contains(last.Data, "OUTPUT_INVALID") {
				t.Errorf("got %v, want OUTPUT_INVALID", last)
			}
		})
	}
	t.Run("nothing right at all", func(t *testing.T) {
		s := start(t, app.Options{})
		liar := newPool(t, echo(2))
		liar.workloads = []string{"embedding"}
		s.join("n1", liar, 2)
		s.join("n2", embedder(t), 1)
		id := s.submitBody(`{"model_ref":"demo","workload":"embedding","inputs":["a","b"]}`)
		if got := types(s.follow(id, "").rest()); got != "started embedding end" {
			t.Errorf("got %s", got)
		}
		if len(liar.calls) == 0 { // placement prefers the name that comes first
			t.Error("the pool that lies was not asked")
		}
	})
}

// TestAWorkloadThatWaitsHoldsUpNoOther has a full pool of completions beside an
// idle one of embeddings.
func TestAWorkloadThatWaitsHoldsUpNoOther(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { out.tokens(1); <-out.gone }), 1)
	s.submit("")
	waiting := s.submit("")
	p := embedder(t)
	p.workloads = []string{"embedding"}
	s.join("n2", p, 1)
	s.want(200, "ci", "infer", "POST", "/v1/embeddings", `{"model":"demo","input":"a"}`)
	if got := s.state(waiting); got != "queued" {
		t.Errorf("the completion is %s, want queued", got)
	}
}

func TestVectorsAreBoundedInAll(t *testing.T) {
	s := start(t, app.Options{})
	p := newPool(t, func(out *sink, r nodeapi.DispatchRequest) {
		for i := range r.Inputs {
			out.send(nodeapi.Event{Type: nodeapi.EventEmbedding, Index: i, Vector: make([]float32, nodeapi.MaxVector)})
		}
		out.send(nodeapi.Event{Type: nodeapi.EventEnd, TokensIn: 1})
	})
	p.workloads = []string{"embedding"}
	s.join("n1", p, 1)
	for n, want := range map[int]string{64: "started embedding end", nodeapi.MaxInputs: "started embedding error"} {
		id := s.submitBody(`{"model_ref":"demo","workload":"embedding","inputs":["a"` + strings.Repeat(`,"a"`, n-1) + `]}`)
		events := s.follow(id, "").rest()
		if got := types(events); strings.ReplaceAll(got, "gap ", "") != want || n > 64 && !strings.Contains(events[len(events)-1].Data, "OUTPUT_TOO_LARGE") {
			t.Errorf("%d vectors: got %s, want %s", n, got, want)
		}
	}
}

// TestATaskThatIsRefusedSaysNothingAboutItsNode sends, from one caller, more
// tasks that the pool refuses than open a breaker.
func TestATaskThatIsRefusedSaysNothingAboutItsNode(t *testing.T) {
	for _, status := range []int{400, 413, 422} {
		s := start(t, app.Options{})
		s.join("n1", newPool(t, func(out *sink, r nodeapi.DispatchRequest) {
			if r.Prompt == "bad" {
				out.w.WriteHeader(status)
				return
			}
			out.tokens(1)
			out.end(1)
		}), 4)
		for range 8 {
			id := s.want(202, "eve", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"bad"}`)["task_id"].(string)
			testkit.Eventually(t, "the task has failed", func() bool {
				task := s.want(200, "eve", "infer", "GET", "/v2/tasks/"+id, nil)
				return task["state"] == "failed" && task["error"].(map[string]any)["code"] == "DISPATCH_REFUSED"
			})
		}
		if got := types(s.follow(s.submit(`,"deadline_ms":5000`), "").rest()); got != "started token end" {
			t.Errorf("%d: another caller's task got %q", status, got)
		}
	}
}

// TestAnOutdatedPoolDoesNotDecideForOthers has a node whose report is older than its
// configuration.
func TestAnOutdatedPoolDoesNotDecideForOthers(t *testing.T) {
	s := start(t, app.Options{})
	stale := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.w.Header().Set("Content-Type", "application/problem+json")
		out.w.WriteHeader(422)
		_, _ = out.w.Write([]byte(`{"code":"WORKLOAD_NOT_SUPPORTED"}`))
	})
	stale.workloads = []string{"embedding"}
	s.join("a", stale, 2)
	s.join("b", embedder(t), 2)
	s.want(200, "ci", "infer", "POST", "/v1/embeddings", `{"model":"demo","input":"a"}`)
	if len(stale.calls) != 1 {
		t.Errorf("the stale pool was asked %d times, want once", len(stale.calls))
	}
}

// TestATaskThatNoPoolCouldTakeIsRefusedAtOnce has characters that are longer in
// the JSON for the pool than in the caller's.
func TestATaskThatNoPoolCouldTakeIsRefusedAtOnce(t *testing.T) {
	s := start(t, app.Options{})
	sizes := make(chan int64, 1)
	p := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { out.end(0) })
	inner := p.Config.Handler
	p.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sizes <- r.ContentLength
		inner.ServeHTTP(w, r)
	})
	s.join("n1", p, 1)
	for _, n := range []int{190_000, 1<<20/3 - 100} { // 1.1 MiB as a pool gets it, and more than a record may have
		status, _, body := s.send(s.request("ci", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"`+strings.Repeat("\u2028", n)+`"}`))
		if status != 413 || body["code"] != "TASK_TOO_LARGE" {
			t.Errorf("%d: got %d %v, want 413", n, status, body)
		}
	}
	s.want(202, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"`+strings.Repeat("<&>", 1<<20/3-100)+`"}`)
	if got := testkit.Receive(t, sizes, "the size of a request"); got > 1<<20 {
		t.Errorf("the pool got %d bytes, over 1 MiB", got)
	}
}
