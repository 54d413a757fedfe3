package orchestrator_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// pinned is a task that is pinned to a pool, with more of its hint.
func pinned(pool, more string) string {
	return task(`,"placement":{"mode":"pin","pin_pool_id":"` + pool + `"` + more + `}`)
}

// TestANodeCannotTakeAnothersPlaceByItsPoolID registers the pool_id of another node,
// with more slots and memory, before and after a task is pinned to the first one.
func TestANodeCannotTakeAnothersPlaceByItsPoolID(t *testing.T) {
	s := start(t, app.Options{})
	free := make(chan struct{})
	honest := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { out.await(free); out.tokens(1); out.end(1) })
	s.join("honest", honest, 1)
	var ids []string
	for range 3 { // one runs, two wait; the name was unambiguous
		ids = append(ids, s.want(202, "ci", "infer", "POST", "/v2/tasks", pinned("p", ""))["task_id"].(string))
	}
	thief := newPool(t, echo(1))
	r := thief.registration("thief", 999)
	r.Capabilities.GPUs = []nodeapi.GPU{{DeviceID: "0", VRAMTotalBytes: 1 << 40}}
	r.Pools[0].VRAMFreeBytes = 1 << 40
	s.want(200, "thief", "nodes", "POST", "/v2/nodes/register", r)
	for what, body := range map[string]string{
		"pin":    pinned("p", ""),
		"prefer": task(`,"placement":{"mode":"prefer","prefer_pools":["honest/p","p"]}`),
		"avoid":  task(`,"placement":{"avoid_pools":["p"]}`),
	} {
		if got := s.want(409, "ci", "infer", "POST", "/v2/tasks", body); got["code"] != "AMBIGUOUS_POOL" || !strings.Contains(fmt.Sprint(got["hint"]), "honest/p, thief/p") {
			t.Errorf("%s of a name that two nodes have: got %v", what, got)
		}
	}
	ids = append(ids, s.want(202, "ci", "infer", "POST", "/v2/tasks", pinned("honest/p", ""))["task_id"].(string))
	close(free)
	for _, id := range ids {
		s.follow(id, "").rest()
		if got := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil); got["node_id"] != "honest" || got["state"] != "completed" {
			t.Errorf("a task that was pinned to honest: got %v", got)
		}
	}
	if len(thief.calls) != 0 {
		t.Errorf("the thief got %d tasks", len(thief.calls))
	}
}

// TestATaskWithAKeyIsFoundAgainWhenItsPoolsNameIsNoLongerClear: it was taken.
func TestATaskWithAKeyIsFoundAgainWhenItsPoolsNameIsNoLongerClear(t *testing.T) {
	s := start(t, app.Options{})
	s.join("a", newPool(t, echo(1)), 1)
	send := func(key string) (int, map[string]any) {
		r := s.request("ci", "infer", "POST", "/v2/tasks", pinned("p", ""))
		r.Header.Set("Idempotency-Key", key)
		status, _, answer := s.send(r)
		return status, answer
	}
	_, first := send("k")
	s.join("b", newPool(t, echo(1)), 1)
	if status, again := send("k"); status != 202 || again["task_id"] != first["task_id"] {
		t.Errorf("got %d %v, want the task %v", status, again, first["task_id"])
	}
	if status, other := send("another"); status != 409 || other["code"] != "AMBIGUOUS_POOL" {
		t.Errorf("another key: got %d %v", status, other)
	}
}

// TestEveryPathNamesOnePool: reads and commands go to the pool that is named, and a
// bare pool_id that two nodes have is refused by each route.
func TestEveryPathNamesOnePool(t *testing.T) {
	s := start(t, app.Options{})
	p, told := commanded(t, 202, `{"pool_id":"p","state":"draining"}`)
	q, others := commanded(t, 202, `{"pool_id":"p","state":"draining"}`)
	s.join("n1", p, 1)
	s.join("n2", q, 7)
	for _, prefix := range []string{"/v2/pools/", "/control/pools/"} {
		for _, c := range []struct{ method, verb, body string }{
			{"GET", "health", ""}, {"POST", "drain", `{"deadline_ms":1}`}, {"POST", "reload", `{"new_model_ref":"demo"}`}, {"POST", "purge", ""},
		} {
			if prefix == "/control/pools/" && c.verb == "purge" {
				continue // there is no such route
			}
			if got := s.want(409, "root", "admin", c.method, prefix+"p/"+c.verb, c.body); got["code"] != "AMBIGUOUS_POOL" {
				t.Errorf("%s: got %v", c.verb, got)
			}
			s.want(404, "root", "admin", c.method, prefix+"n3/p/"+c.verb, c.body)
			s.want(404, "root", "admin", c.method, prefix+"n1/q/"+c.verb, c.body)
			want := map[string]int{"GET": 200, "POST": 202}[c.method]
			got := s.want(want, "root", "admin", c.method, prefix+"n1/p/"+c.verb, c.body)
			if c.verb == "health" && got["slots_total"] != 1.0 {
				t.Errorf("health of n1/p: got %v", got)
			}
			if c.verb != "health" {
				testkit.Receive(t, told, "a message")
			}
		}
	}
	if len(others) != 0 {
		t.Errorf("n2 was told %q", <-others)
	}
	if got := s.want(409, "w", "nodes", "POST", "/v2/workers/register", `{"pool_id":"p"}`); got["code"] != "AMBIGUOUS_POOL" {
		t.Errorf("a worker of an ambiguous pool: got %v", got)
	}
	s.want(404, "w", "nodes", "POST", "/v2/workers/register", `{}`)
	s.want(200, "w", "nodes", "POST", "/v2/workers/register", `{"pool_id":"n2/p","replica_id":"r"}`)
	for node, want := range map[string]any{"n1": nil, "n2": 1.0} {
		if got := s.want(200, "root", "admin", "GET", "/v2/pools/"+node+"/p/health", nil); got["replicas"] != want {
			t.Errorf("replicas of %s/p: got %v, want %v", node, got["replicas"], want)
		}
	}
}

// TestANodeClaimsNoMoreThanItsDevicesHave sends registrations and heartbeats whose
// figures are wrong, and looks at what is believed.
func TestANodeClaimsNoMoreThanItsDevicesHave(t *testing.T) {
	const gib = 1 << 30
	s := start(t, app.Options{})
	p := newPool(t, echo(1))
	base := func() nodeapi.RegisterRequest {
		r := p.registration("n1", 1)
		r.Capabilities.GPUs = []nodeapi.GPU{{DeviceID: "0", VRAMTotalBytes: 24 * gib}}
		return r
	}
	for name, change := range map[string]func(*nodeapi.RegisterRequest){
		"more than its devices":  func(r *nodeapi.RegisterRequest) { r.Pools[0].VRAMFreeBytes = 24*gib + 1 },
		"the most there is":      func(r *nodeapi.RegisterRequest) { r.Pools[0].VRAMFreeBytes = math.MaxInt64 },
		"negative memory":        func(r *nodeapi.RegisterRequest) { r.Pools[0].VRAMFreeBytes = -1 },
		"memory and no device":   func(r *nodeapi.RegisterRequest) { r.Capabilities.GPUs, r.Pools[0].VRAMFreeBytes = nil, 1 },
		"a device of 2^63 bytes": func(r *nodeapi.RegisterRequest) { r.Capabilities.GPUs[0].VRAMTotalBytes = math.MaxInt64 },
		"a negative device":      func(r *nodeapi.RegisterRequest) { r.Capabilities.GPUs[0].VRAMTotalBytes = -1 },
		"one device many times": func(r *nodeapi.RegisterRequest) {
			r.Capabilities.GPUs = append(r.Capabilities.GPUs, r.Capabilities.GPUs[0])
		},
		"too many devices": func(r *nodeapi.RegisterRequest) {
			for i := range 64 {
				r.Capabilities.GPUs = append(r.Capabilities.GPUs, nodeapi.GPU{DeviceID: fmt.Sprint("x", i)})
			}
		},
		"negative main memory":   func(r *nodeapi.RegisterRequest) { r.Capabilities.RAMTotalBytes = -1 },
		"main memory of 2^63":    func(r *nodeapi.RegisterRequest) { r.Capabilities.RAMTotalBytes = math.MaxInt64 },
		"negative cores":         func(r *nodeapi.RegisterRequest) { r.Capabilities.CPUCores = -1 },
		"slots of all pools":     func(r *nodeapi.RegisterRequest) { many(r, 65, 64) },
		"negative slots":         func(r *nodeapi.RegisterRequest) { r.Pools[0].SlotsTotal = -1 },
		"more free than total":   func(r *nodeapi.RegisterRequest) { r.Pools[0].SlotsFree = 2 },
		"an engine's forged log": func(r *nodeapi.RegisterRequest) { r.Pools[0].Engine = "demo\n{}" },
		"a model's escape code":  func(r *nodeapi.RegisterRequest) { r.Pools[0].Models = []string{"demo\x1b[2J"} },
		"a device's escape code": func(r *nodeapi.RegisterRequest) { r.Capabilities.GPUs[0].Name = "\u202egpu" },
	} {
		r := base()
		change(&r)
		if got := s.want(422, "n1", "nodes", "POST", "/v2/nodes/register", r); got["code"] != "INVALID_NODE" {
			t.Errorf("%s: got %v", name, got)
		}
	}
	r := base()
	r.Pools[0].VRAMFreeBytes = 24 * gib
	s.want(200, "n1", "nodes", "POST", "/v2/nodes/register", r)
	h := beat(p, time.Now())
	h.Pools[0].VRAMFreeBytes = math.MaxInt64
	s.want(200, "n1", "nodes", "POST", "/v2/nodes/n1/heartbeat", h)
	pool := s.want(200, "root", "admin", "GET", "/v2/nodes", nil)["nodes"].([]any)[0].(map[string]any)["pools"].([]any)[0].(map[string]any)
	if pool["vram_free_bytes"] != float64(24*gib) {
		t.Errorf("after a heartbeat that claims 2^63-1 bytes: got %v, want 24 GiB", pool["vram_free_bytes"])
	}
	h.Timestamp, h.Pools[0].VRAMFreeBytes = time.Now().Add(time.Second), -1
	s.want(422, "n1", "nodes", "POST", "/v2/nodes/n1/heartbeat", h)
}

// many gives a registration several pools with that many slots each.
func many(r *nodeapi.RegisterRequest, slots, pools int) {
	one := r.Pools[0]
	one.SlotsFree, one.SlotsTotal = slots, slots
	r.Pools = nil
	for i := range pools {
		one.PoolID = fmt.Sprint("p", i)
		r.Pools = append(r.Pools, one)
	}
}

// TestANodeOffersOnlyTheModelsThatItsIdentityMay: by node_models.
func TestANodeOffersOnlyTheModelsThatItsIdentityMay(t *testing.T) {
	s := start(t, app.Options{Settings: orchestrator.Settings{NodeModels: orchestrator.ModelGrants{"good": {"secret", "catalog:tiny", "team/*"}}}})
	offer := func(node string, models ...string) *pool {
		p := newPool(t, echo(1))
		r := p.registration(node, 9)
		r.Pools[0].ModelRef, r.Pools[0].Models = models[0], models
		s.want(200, node, "nodes", "POST", "/v2/nodes/register", r)
		return p
	}
	evil := offer("evil", "secret", "secret:latest", "catalog:secret", "tiny", "catalog:tiny", "team/a", "free")
	for _, name := range []string{"secret", "secret:latest", "catalog:secret", "tiny", "catalog:tiny", "team/a"} {
		s.want(404, "ci", "infer", "POST", "/v2/tasks", `{"prompt":"x","model_ref":"`+name+`"}`)
	}
	s.want(202, "ci", "infer", "POST", "/v2/tasks", `{"prompt":"x","model_ref":"free"}`)
	testkit.Receive(t, evil.calls, "a call of the pool")
	offer("good", "secret", "team/b", "free2")
	if got := fmt.Sprint(s.models()); got != "[free secret team/b]" {
		t.Errorf("the models are %s, want those that each identity may offer", got)
	}
	id := s.want(202, "ci", "infer", "POST", "/v2/tasks", `{"prompt":"x","model_ref":"secret"}`)["task_id"].(string)
	s.follow(id, "").rest()
	if got := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil); got["node_id"] != "good" {
		t.Errorf("got %v, want it on good", got)
	}
	h := nodeapi.HeartbeatRequest{Timestamp: time.Now(), Pools: []nodeapi.Pool{{PoolID: "p", Ready: true, SlotsFree: 9, SlotsTotal: 9, ModelRef: "secret"}}}
	s.want(200, "evil", "nodes", "POST", "/v2/nodes/evil/heartbeat", h)
	for _, m := range s.want(200, "cat", "catalog", "GET", "/v2/catalog/availability", nil)["models"].([]any) {
		if m := m.(map[string]any); m["model"] == "secret" && len(m["holders"].([]any)) != 1 {
			t.Errorf("after a heartbeat that claims it, the holders of secret are %v", m["holders"])
		}
	}
}

// TestWhatANodeSaysInErrorsIsBoundedAndPrintable sends words of every kind that a
// terminal, a log or a page could take for something else.
func TestWhatANodeSaysInErrorsIsBoundedAndPrintable(t *testing.T) {
	hostile := "bad\x1b[2J\x00\u202e\u200b\r\nevent: end\n\n\xff" + strings.Repeat("ü", 5000)
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.send(nodeapi.Event{Type: nodeapi.EventError, Code: hostile, Message: hostile, Engine: hostile})
	}), 1)
	id := s.submit("")
	s.follow(id, "").rest()
	failure := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)["error"].(map[string]any)
	if failure["code"] != "ENGINE_ERROR" {
		t.Errorf("the code is %q, want one of ours", failure["code"])
	}
	for _, member := range []string{"message", "engine"} {
		text := failure[member].(string)
		if len(text) > 1024 || !strings.HasPrefix(text, "bad[2J  event: end  ü") || strings.ContainsAny(text, "\x1b\x00\u202e\u200b\r\n\ufffd") {
			t.Errorf("the %s is %q of %d bytes", member, text[:min(len(text), 40)], len(text))
		}
	}
	p, _ := commanded(t, 409, `{"code":"POOL_NOT_READY","hint":"it \u001b[2J\u202e\n`+strings.Repeat("x", 5000)+`"}`)
	s.join("n2", p, 1)
	if hint := s.want(409, "root", "admin", "POST", "/v2/pools/n2/p/drain", `{"deadline_ms":0}`)["hint"].(string); len(hint) > 1100 || !strings.HasPrefix(hint, "node n2: it [2J x") {
		t.Errorf("the hint is %q", hint)
	}
}

// TestFiguresOfANodeAreBounded: they are added up in metrics and records.
func TestFiguresOfANodeAreBounded(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.tokens(1)
		out.send(nodeapi.Event{Type: nodeapi.EventEnd, TokensIn: -5, TokensOut: math.MaxInt64, DecodeMS: math.MaxInt64, FinishReason: "stop"})
	}), 1)
	id := s.submit("")
	s.follow(id, "").rest()
	got := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
	if got["tokens_in"] != 0.0 || got["tokens_out"] != float64(1<<40) || got["decode_ms"] != float64(1<<40) {
		t.Errorf("got %v, want them from 0 to 2^40", got)
	}
}
