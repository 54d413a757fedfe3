package orchestrator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// declares registers a pool with more said of it in its workloads.
func (s *service) declares(node string, p *pool, workloads []string) {
	s.t.Helper()
	r := p.registration(node, 2)
	r.Pools[0].Workloads = workloads
	s.want(200, node, "nodes", "POST", "/v2/nodes/register", r)
}

func TestAStrictTaskLeavesNothingToChance(t *testing.T) {
	s := start(t, app.Options{})
	same := newPool(t, echo(1))
	s.declares("same", same, nodeapi.WithDeterminism([]string{nodeapi.WorkloadCompletion}, true))
	s.declares("varies", newPool(t, echo(1)), []string{nodeapi.WorkloadCompletion})
	const pin = `,"placement":{"mode":"pin","pin_pool_id":"same/p"}`
	for name, c := range map[string]struct{ extra, code, says string }{
		"no seed":               {pin, "INVALID_TASK", "seed"},
		"no pool":               {`,"seed":1`, "INVALID_TASK", "pin"},
		"pools preferred":       {`,"seed":1,"placement":{"mode":"prefer","prefer_pools":["same/p"]}`, "INVALID_TASK", "pin"},
		"a fallback":            {`,"seed":1,"placement":{"mode":"pin","pin_pool_id":"same/p","allow_fallback":true}`, "INVALID_TASK", "allow_fallback"},
		"a warm cache":          {`,"seed":1,"kv_hint":"reuse"` + pin, "INVALID_TASK", "kv_hint"},
		"an engine that cannot": {`,"seed":1,"placement":{"mode":"pin","pin_pool_id":"varies/p"}`, "DETERMINISM_NOT_SERVED", "varies/p"},
	} {
		got := s.want(422, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"x","determinism":"strict"`+c.extra+`}`)
		if hint := fmt.Sprint(got["hint"]); got["code"] != c.code || !strings.Contains(hint, c.says) {
			t.Errorf("%s: got %v %q, want %s and %q", name, got["code"], hint, c.code, c.says)
		}
	}
	got := s.want(422, "ci", "infer", "POST", "/v2/tasks", `{"determinism":"strict","seed":1`+pin+`,"native":{"protocol":"chat","body":{"model":"demo","messages":[]}}}`)
	if got["code"] != "INVALID_TASK" && got["code"] != "PROTOCOL_NOT_SERVED" {
		t.Errorf("a native call: got %v", got)
	}
	id := s.submit(`,"determinism":"strict","seed":7,"temperature":0.5` + pin)
	if got := types(s.follow(id, "").rest()); got != "started token end" {
		t.Errorf("got %q", got)
	}
	task := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
	if got := fmt.Sprint(task["sampling"]); got != "map[seed:7 temperature:0.5]" || task["node_id"] != "same" {
		t.Errorf("the record: got sampling %s on %v", got, task["node_id"])
	}
	if sent := <-same.calls; sent.Seed == nil || *sent.Seed != 7 {
		t.Errorf("the engine got seed %v, want 7", sent.Seed)
	}
	if plain := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+s.submit(`,"seed":7`), nil); plain["sampling"] != nil {
		t.Errorf("a task of best effort: got sampling %v", plain["sampling"])
	}
}

// TestAStrictTaskRunsOnNoFallback has the model's pool not ready, and a fallback that is.
func TestAStrictTaskRunsOnNoFallback(t *testing.T) {
	s := start(t, app.Options{})
	s.catalog(201, "POST", "/models", `{"id":"other","digest":"`+digest("x")+`","source_url":"file:x"}`)
	s.catalog(201, "POST", "/models", `{"id":"demo","digest":"`+digest("x")+`","source_url":"file:x","fallback":["other"]}`)
	p := newPool(t, echo(1))
	both := p.registration("n", 2)
	both.Pools[0].Workloads = nodeapi.WithDeterminism([]string{nodeapi.WorkloadCompletion}, true)
	second := both.Pools[0]
	second.PoolID, second.ModelRef, second.Models = "q", "other", []string{"other"}
	both.Pools[0].Ready = false
	both.Pools = append(both.Pools, second)
	s.want(200, "n", "nodes", "POST", "/v2/nodes/register", both)
	id := s.submit(`,"determinism":"strict","seed":7,"placement":{"mode":"pin","pin_pool_id":"n/q"}`)
	if got := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil); got["state"] != "queued" || got["waiting"] == nil {
		t.Errorf("got state %v, waiting %v, want it to wait for its own model", got["state"], got["waiting"])
	}
}

func TestATaskDemandsAContext(t *testing.T) {
	s := start(t, app.Options{})
	told := newPool(t, echo(1))
	s.declares("told", told, nodeapi.WithContexts([]string{nodeapi.WorkloadCompletion}, []int64{4096}))
	got := s.want(422, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"x","ctx":4097}`)
	if got["code"] != "CONTEXT_NOT_SERVED" || !strings.Contains(fmt.Sprint(got["hint"]), "4096") {
		t.Errorf("got %v, want CONTEXT_NOT_SERVED and the longest that there is", got)
	}
	s.declares("untold", newPool(t, echo(1)), []string{nodeapi.WorkloadCompletion})
	for ctx, want := range map[int]string{4096: "", 4097: "untold"} {
		id := s.submit(fmt.Sprintf(`,"ctx":%d`, ctx))
		s.follow(id, "").rest()
		if node := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)["node_id"]; want != "" && node != want {
			t.Errorf("ctx %d ran on %v, want %s", ctx, node, want)
		}
	}
}
