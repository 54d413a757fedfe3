package orchestrator_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestWrongRequestsAreAnsweredWithTheirPlace(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	for name, c := range map[string]struct {
		body, code, place string
		status            int
	}{
		"not JSON":         {`{"model_ref":`, "INVALID_JSON", "", 400},
		"empty":            {``, "INVALID_JSON", "", 400},
		"unknown field":    {task(`,"colour":"red"`), "INVALID_FIELD", "body.colour", 422},
		"wrong type":       {task(`,"ctx":"big"`), "INVALID_FIELD", "body.ctx", 422},
		"other letters":    {task(`,"MAX_TOKENS":-5`), "INVALID_FIELD", "body.MAX_TOKENS", 422},
		"not UTF-8":        {task(`,"kv_hint":"` + "\xff" + `"`), "INVALID_JSON", "", 400},
		"no model":         {`{"prompt":"x"}`, "INVALID_FIELD", "body", 422},
		"no prompt":        {`{"model_ref":"demo"}`, "INVALID_TASK", "", 422},
		"two prompts":      {task(`,"messages":[{"role":"user","content":"x"}]`), "INVALID_TASK", "", 422},
		"bad priority":     {task(`,"priority":"urgent"`), "INVALID_FIELD", "body.priority", 422},
		"bad id":           {task(`,"task_id":"../../etc"`), "INVALID_FIELD", "body.task_id", 422},
		"endless deadline": {task(`,"deadline_ms":99999999999`), "INVALID_FIELD", "body.deadline_ms", 422},
		"pin without pool": {task(`,"placement":{"mode":"pin"}`), "INVALID_TASK", "", 422},
		"unknown model":    {`{"model_ref":"nope","prompt":"x"}`, "MODEL_NOT_AVAILABLE", "", 404},
		"too large":        {task(`,"inputs":["` + strings.Repeat("x", 1<<20) + `"]`), "BODY_TOO_LARGE", "", 413},
	} {
		status, header, body := s.send(s.request("ci", "infer", "POST", "/v2/tasks", c.body))
		if status != c.status || body["code"] != c.code || header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %d %v, want %d %s", name, status, body, c.status, c.code)
			continue
		}
		if body["correlation_id"] == "" || body["correlation_id"] != header.Get("X-Correlation-Id") {
			t.Errorf("%s: correlation id %v", name, body["correlation_id"])
		}
		if c.place == "" {
			continue
		}
		if errors := body["errors"].([]any); errors[0].(map[string]any)["location"] != c.place {
			t.Errorf("%s: got %v, want the place %s", name, errors, c.place)
		}
	}
}

// TestAPlaceIsNoTypeOfGo: 1.0 is an integer to the schema and none to Go.
func TestAPlaceIsNoTypeOfGo(t *testing.T) {
	s := start(t, app.Options{})
	body := s.want(422, "ci", "infer", "POST", "/v2/tasks", task(`,"ctx":1.0`))
	if got, _ := json.Marshal(body["errors"]); !strings.Contains(string(got), "ctx: ") || strings.Contains(string(got), "Go ") {
		t.Errorf("got %s", got)
	}
}

// TestAMediaTypeIsTheSameInCapitals, with its parameters (RFC 9110 §8.3.1).
func TestAMediaTypeIsTheSameInCapitals(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	for kind, want := range map[string]int{"Application/JSON; charset=UTF-8": 202, "application/json": 202, "text/plain": 415, "": 202} {
		r := s.request("ci", "infer", "POST", "/v2/tasks", task(""))
		r.Header.Set("Content-Type", kind)
		if got, _, body := s.send(r); got != want {
			t.Errorf("%q: got %d %v, want %d", kind, got, body["code"], want)
		}
	}
}

func TestARequestOfOneMiBIsTakenAndSurvivesItsRecord(t *testing.T) {
	got := make(chan int, 1)
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, r nodeapi.DispatchRequest) { got <- len(r.Prompt); out.end(0) }), 1)
	prompt := strings.Repeat("<&", (1<<20-200)/2) // six times as long in HTML-safe JSON
	s.want(202, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"`+prompt+`"}`)
	if n := testkit.Receive(t, got, "what the engine got"); n != len(prompt) {
		t.Errorf("the engine got %d bytes, want %d", n, len(prompt))
	}
}

func TestMetricsCountWhatHappened(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(3)), 1)
	s.follow(s.submit(""), "").rest()
	s.want(404, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"nope","prompt":"x"}`)
	s.enter("m", digest("x"), "file:x", "")
	s.verified("m")
	s.want(200, "root", "admin", "GET", "/v2/pools/p/health", nil)
	testkit.Eventually(t, "the task is counted", func() bool { return strings.Contains(s.metrics(), "gen_ai_server_request_duration_seconds_count") })
	const genAI = `gen_ai_operation_name="text_completion",gen_ai_provider_name="demo",gen_ai_request_model="demo"`
	for _, path := range []string{"/metrics", "/orchestrator/metrics"} {
		res, err := http.DefaultClient.Do(s.request("prom", "metrics", "GET", path, nil))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		for _, want := range []string{
			"tasks_enqueued_total 1", `tasks_started_total{engine="demo",pool_id="p",priority="interactive"} 1`,
			`tasks_rejected_total{engine="any",reason="model"} 1`, `tokens_out_total{engine="demo",pool_id="p"} 3`,
			"tokens_in_total 1", `placement_decisions_total{fallback="false",outcome="placed",pinned="false"} 1`,
			`orchd_node_registrations_total{outcome="ok"} 1`, "orchd_nodes_online 1", "orchd_pools_available 1",
			"gen_ai_client_token_usage_sum{" + genAI + `,gen_ai_token_type="output"} 3`,
			"gen_ai_server_time_to_first_token_seconds_count{" + genAI + "} 1",
			"gen_ai_server_request_duration_seconds_count{" + genAI + "} 1",
			"gen_ai_server_time_per_output_token_seconds_count{" + genAI + "} 1",
			`model_state{model_id="m",state="Active"} 1`, `catalog_verifications_total{result="failed"} 1`,
			`orchd_pool_health_checks_total{outcome="ready",pool_id="p"} 1`, "orchd_pool_health_check_duration_ms_count 1",
			`queue_depth{priority="batch"} 0`, "latency_first_token_ms_count 1", "latency_decode_ms_count 1",
			"llorch_pool_health_check_duration_seconds_count 1", "llorch_first_token_seconds_count 1", "llorch_decode_seconds_count 1",
			"llorch_leader 1", "llorch_store_required_bytes 1.34217728e+08", "llorch_quorum 1", "llorch_queue_capacity 1000", `llorch_nodes{state="online"} 1`, `llorch_nodes{state="offline"} 0`,
			`llorch_tasks_ended_total{state="completed"} 1`, `llorch_tasks_failed_total{code="WORKER_RESET"} 0`, "llorch_token_sources_unusable 0",
			`llorch_tokens_total{type="input",workload="completion"} 1`, `llorch_tokens_total{type="output",workload="completion"} 3`,
		} {
			if !bytes.Contains(text, []byte("\n"+want+"\n")) {
				t.Errorf("%s has no line %s", path, want)
			}
		}
	}
}

func (s *service) metrics() string {
	s.t.Helper()
	res, err := http.DefaultClient.Do(s.request("prom", "metrics", "GET", "/metrics", nil))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func TestVerboseStreamsHaveMetricsEvents(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(2)), 1)
	const nothingYet = `{"queue_depth":0,"tokens_budget_remaining":8,"kv_warmth":false}`
	const oneInTime = `{"queue_depth":0,"on_time_probability":1,"tokens_budget_remaining":8,"kv_warmth":false}`
	// The first task may have ended, in time, before its reader came.
	for _, wants := range [][]string{{nothingYet, oneInTime}, {oneInTime}} {
		id := s.submit("")
		res, err := http.DefaultClient.Do(s.request("ci", "infer", "GET", "/v2/tasks/"+id+"/events?verbose=true", nil))
		if err != nil {
			t.Fatal(err)
		}
		events := (&stream{res, bufio.NewScanner(res.Body)}).rest()
		res.Body.Close()
		if types(events) != "started metrics token end" || !slices.Contains(wants, events[1].Data) || events[1].ID != "1" {
			t.Errorf("got %v, want the metrics %s", events, wants)
		}
	}
}

func TestAnOpenAICallerThatLeavesCancelsItsTask(t *testing.T) {
	begun, hungUp := make(chan struct{}), make(chan struct{})
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.tokens(1)
		close(begun)
		<-out.gone
		close(hungUp)
	}), 1)
	res, err := http.DefaultClient.Do(s.request("ci", "infer", "POST", "/v1/chat/completions",
		`{"model":"demo","stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"logprobs":false}`))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Receive(t, begun, "the engine's call")
	res.Body.Close()
	testkit.Receive(t, hungUp, "the end of the engine's call")
	testkit.Eventually(t, "the task is canceled", func() bool { return s.state(res.Header.Get("X-Task-Id")) == "canceled" })
}

func TestMetaRoutesAnswer(t *testing.T) {
	s := start(t, app.Options{Version: "1.2.3"})
	s.join("n1", newPool(t, echo(1)), 2)
	if got := s.want(200, "ci", "infer", "GET", "/v2/meta/version", nil); got["version"] != "1.2.3" {
		t.Errorf("version: got %v", got)
	}
	for _, path := range []string{"/v2/meta/capabilities", "/v1/capabilities"} {
		if got := s.want(200, "ci", "infer", "GET", path, nil); got["slots_total"] != 2.0 {
			t.Errorf("%s: got %v", path, got)
		}
	}
	for _, path := range []string{"/openapi.json", "/orchestrator/openapi.json"} {
		paths := s.want(200, "root", "admin", "GET", path, nil)["paths"].(map[string]any)
		if paths["/v2/tasks"] == nil || paths["/v1/chat/completions"] == nil {
			t.Errorf("%s lacks routes", path)
		}
	}
	if got := s.want(200, "", "", "GET", "/health", nil); got["status"] != "ok" {
		t.Errorf("health: got %v", got)
	}
	if got := s.want(200, "ci", "metrics", "GET", "/v2/meta/replica", nil); got["nodes_known"] != 1.0 || got["replicas"] != 1.0 || got["schedules"] != true || got["safe_to_lose_another"] != false {
		t.Errorf("got %v, want a single server that knows one node", got)
	}
	if got := s.want(200, "", "", "GET", "/ready", nil); got["status"] != "ready" || len(got) != 1 {
		t.Errorf("ready: got %v", got)
	}
}
