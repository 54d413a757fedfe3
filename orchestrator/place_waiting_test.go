package orchestrator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestATaskRunsByEveryNameOfItsModel: a catalog id, catalog:ID, an alias, and Ollama's
// names with and without :latest; the pool is asked by the name that it uses itself.
func TestATaskRunsByEveryNameOfItsModel(t *testing.T) {
	for name, c := range map[string]struct {
		engine, reported string
		asked            []string
	}{
		"staged from the catalog":    {"llamacpp", "catalog:tiny", []string{"tiny", "catalog:tiny", "small"}},
		"an engine's own name":       {"vllm", "tiny", []string{"tiny", "catalog:tiny", "small"}},
		"Ollama's latest":            {"ollama", "llama3:latest", []string{"llama3", "llama3:latest"}},
		"Ollama's, without its tag":  {"ollama", "llama3", []string{"llama3:latest", "llama3"}},
		"a file under the models":    {"llamacpp", "file:m.gguf", []string{"file:m.gguf"}},
		"a catalog id with a colon":  {"llamacpp", "catalog:org:1b", []string{"org:1b", "catalog:org:1b"}},
		"a tag that is not latest":   {"ollama", "llama3:8b", []string{"llama3:8b"}},
		"catalog: twice is no model": {"llamacpp", "catalog:catalog:x", []string{"catalog:catalog:x"}},
	} {
		s := start(t, app.Options{})
		s.catalog(201, "POST", "/models", `{"id":"tiny","digest":"`+digest("x")+`","source_url":"file:x","aliases":["small"]}`)
		p := newPool(t, echo(1))
		r := p.registration("n1", 2)
		r.Pools[0].Engine, r.Pools[0].ModelRef, r.Pools[0].Models = c.engine, c.reported, []string{c.reported}
		s.want(200, "n1", "nodes", "POST", "/v2/nodes/register", r)
		for _, model := range c.asked {
			id := s.want(202, "ci", "infer", "POST", "/v2/tasks", `{"prompt":"x","model_ref":"`+model+`","deadline_ms":5000}`)["task_id"].(string)
			if got := types(s.follow(id, "").rest()); got != "started token end" {
				t.Errorf("%s, asked for %s: got %q", name, model, got)
				continue
			}
			if d := testkit.Receive(t, p.calls, "a call of the pool"); d.ModelRef != c.reported {
				t.Errorf("%s, asked for %s: the pool was asked for %q, want %q", name, model, d.ModelRef, c.reported)
			}
		}
		s.want(404, "ci", "infer", "POST", "/v2/tasks", `{"prompt":"x","model_ref":"llama3:70b"}`)
	}
}

func TestAnAliasIsOneModelsAlone(t *testing.T) {
	s := start(t, app.Options{})
	entry := func(status int, id, aliases string) {
		t.Helper()
		s.catalog(status, "POST", "/models", `{"id":"`+id+`","digest":"`+digest("x")+`","source_url":"file:x","aliases":`+aliases+`}`)
	}
	entry(201, "a", `["x","y"]`)
	entry(409, "b", `["y"]`)
	entry(409, "x", `[]`)
	entry(409, "b", `["a"]`)
	entry(422, "b", `["b"]`)
	entry(422, "b", `["z","z"]`)
	entry(422, "b", `["../z"]`)
	entry(422, "catalog:c", `[]`)
	entry(422, "file:c", `[]`)
	entry(422, "c", `["d","catalog:e"]`)
	entry(422, "c", `["file:e"]`)
	entry(201, "catalogue:c", `["files:c"]`)
	s.catalog(204, "DELETE", "/models/a", "")
	entry(201, "x", `["y"]`)
	p := newPool(t, echo(1))
	p.model = "catalog:x"
	s.join("n1", p, 1)
	s.catalog(202, "POST", "/models/x/state", `{"state":"Retired"}`)
	for _, name := range []string{"x", "y", "catalog:x"} {
		s.want(404, "ci", "infer", "POST", "/v2/tasks", `{"prompt":"x","model_ref":"`+name+`"}`)
	}
}

// TestATaskThatNoPoolCanRunSaysWhy in its record at once, and in its stream within
// seconds; and it runs when a pool can.
func TestATaskThatNoPoolCanRunSaysWhy(t *testing.T) {
	broken := nodeapi.Pool{PoolID: "p", Engine: "demo", ModelRef: "demo", SlotsTotal: 1, State: "failed", Restarts: 7, LastError: "exit status 1: no CUDA\x1b[0m"}
	starting := nodeapi.Pool{PoolID: "p", Engine: "demo", ModelRef: "demo", SlotsTotal: 1, State: "starting"}
	draining := nodeapi.Pool{PoolID: "p", Engine: "demo", ModelRef: "demo", Ready: true, Draining: true, SlotsTotal: 1}
	full := nodeapi.Pool{PoolID: "p", Engine: "demo", ModelRef: "demo", Ready: true, SlotsTotal: 1}
	for name, c := range map[string]struct {
		pool *nodeapi.Pool
		more string
		want string
	}{
		"nowhere":        {nil, "", "waiting: no ready pool holds demo"},
		"crash-looping":  {&broken, "", "waiting: pool n1/p, which holds demo, is crash-looping: exit status 1: no CUDA[0m"},
		"starting":       {&starting, "", "waiting: pool n1/p, which holds demo, is not ready (starting)"},
		"draining":       {&draining, "", "waiting: pool n1/p, which holds demo, is draining"},
		"in use":         {&full, "", "waiting: every slot of the pools with demo is in use"},
		"a pin":          {&full, `,"placement":{"mode":"pin","pin_pool_id":"n9/p"}`, "waiting: no node has the one pool that the task's placement names"},
		"another engine": {&full, `,"engine":"vllm"`, "waiting: no pool with demo fits the task's engine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, app.Options{})
			s.enter("demo", digest("x"), "file:x", "")
			p := newPool(t, echo(1))
			if r := p.registration("n1", 1); c.pool != nil {
				r.Pools = []nodeapi.Pool{*c.pool}
				s.want(200, "n1", "nodes", "POST", "/v2/nodes/register", r)
			}
			id := s.submit(c.more)
			if got := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil); got["waiting"] != c.want || got["state"] != "queued" {
				t.Errorf("the record: got %v, want %s", got["waiting"], c.want)
			}
			if got := s.want(200, "ci", "infer", "GET", "/v2/tasks", nil)["tasks"].([]any)[0].(map[string]any); got["waiting"] != c.want {
				t.Errorf("the list: got %v, want %s", got["waiting"], c.want)
			}
			events := s.follow(id, "")
			if ev, _ := events.next(); ev.Type != "waiting" || ev.ID != "0" || !strings.Contains(ev.Data, strings.TrimPrefix(c.want, "waiting: ")) {
				t.Errorf("the stream: got %v, want waiting with %s", ev, c.want)
			}
			if c.more == "" {
				s.join("n1", p, 1)
				if got := types(events.rest()); got != "started token end" {
					t.Errorf("after a pool can: got %q", got)
				}
				if got := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil); got["waiting"] != nil {
					t.Errorf("after its end: still %v", got["waiting"])
				}
				if got := types(s.follow(id, "0").rest()); got != "started token end" {
					t.Errorf("resumed after the event waiting: got %q", got)
				}
			}
		})
	}
}

func TestTheListOfModelsTellsServedFromBroken(t *testing.T) {
	s := start(t, app.Options{Settings: orchestrator.Settings{NodeTimeout: time.Hour}})
	p := newPool(t, echo(1))
	r := p.registration("n1", 1)
	r.Pools = []nodeapi.Pool{
		{PoolID: "a", Engine: "demo", ModelRef: "catalog:good", Models: []string{"catalog:good"}, Ready: true, SlotsTotal: 1},
		{PoolID: "b", Engine: "demo", ModelRef: "bad", SlotsTotal: 1, State: "failed", Restarts: 3, LastError: "out of memory"},
	}
	s.want(200, "n1", "nodes", "POST", "/v2/nodes/register", r)
	var got []string
	for _, m := range s.want(200, "ci", "infer", "GET", "/v1/models", nil)["data"].([]any) {
		m := m.(map[string]any)
		got = append(got, fmt.Sprint(m["id"], " ", m["ready"], " ", m["reason"]))
	}
	want := "bad false waiting: pool n1/b, which holds bad, is crash-looping: out of memory; good true <nil>"
	if strings.Join(got, "; ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
