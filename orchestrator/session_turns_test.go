package orchestrator_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// turn runs a task in a session and gives its record.
func (s *service) turn(session string) map[string]any {
	s.t.Helper()
	id := s.submit(`,"session_id":"` + session + `"`)
	s.follow(id, "").rest()
	return s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil)
}

func (s *service) session(id string) map[string]any {
	s.t.Helper()
	return s.want(200, "ci", "infer", "GET", "/v2/sessions/"+id, nil)
}

// roomy is a node that placement prefers for its memory.
func (s *service) roomy(node string, p *pool) {
	s.t.Helper()
	r := p.registration(node, 4)
	r.Pools[0].VRAMFreeBytes = 1 << 40
	r.Capabilities.GPUs = []nodeapi.GPU{{DeviceID: "0", VRAMTotalBytes: 1 << 40}}
	s.want(200, node, "nodes", "POST", "/v2/nodes/register", r)
}

func TestASessionStaysWhereItsKVCacheIs(t *testing.T) {
	s := start(t, app.Options{})
	s.join("a", newPool(t, echo(1)), 4)
	id := uuid.NewString()
	if got := s.turn(id); got["node_id"] != "a" || got["kv_warmth"] != false {
		t.Errorf("first turn: got %v", got)
	}
	running, goOn := make(chan struct{}), make(chan struct{})
	s.roomy("b", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		running <- struct{}{}
		out.await(goOn)
		out.tokens(1)
		out.end(1)
	}))
	if got := s.turn(id); got["node_id"] != "a" || got["kv_warmth"] != true {
		t.Errorf("second turn: got %v, want it warm on a", got)
	}
	cold := s.submit(`,"session_id":"` + id + `","kv_hint":"cold"`)
	testkit.Receive(t, running, "the running task") // it went to b, which has more memory
	if got := s.session(id); got["node_id"] != "b" || got["kv_warmth"] != false {
		t.Errorf("moved: got %v, want cold on b", got)
	}
	goOn <- struct{}{}
	s.follow(cold, "").rest()
	testkit.Eventually(t, "b is warm", func() bool { return s.session(id)["kv_warmth"] == true })
	s.want(204, "b", "nodes", "DELETE", "/v2/nodes/b", nil)
	if got := s.session(id); got["kv_warmth"] != false {
		t.Errorf("after its node left: got %v, want cold", got)
	}
	if got := s.turn(id); got["node_id"] != "a" || got["kv_warmth"] != false {
		t.Errorf("fail-over: got %v, want cold on a", got)
	}
}

func TestASessionTakesEightTurns(t *testing.T) {
	s := start(t, app.Options{})
	s.join("a", newPool(t, echo(1)), 1)
	id := uuid.NewString()
	for range 8 {
		s.turn(id)
	}
	if got := s.want(409, "ci", "infer", "POST", "/v2/tasks", task(`,"session_id":"`+id+`"`)); got["code"] != "SESSION_FULL" {
		t.Errorf("ninth turn: got %v", got)
	}
	if got := s.session(id); got["turns"] != 8.0 || got["max_turns"] != 8.0 {
		t.Errorf("got %v, want 8 turns: a refused one does not count", got)
	}
	s.want(204, "ci", "infer", "DELETE", "/v2/sessions/"+id, nil)
	s.want(404, "ci", "infer", "GET", "/v2/sessions/"+id, nil)
	s.want(404, "ci", "infer", "DELETE", "/v2/sessions/"+id, nil)
	s.turn(id)
}

func TestARefusedTaskIsNoTurn(t *testing.T) {
	s := start(t, app.Options{})
	s.join("a", newPool(t, echo(1)), 1)
	id, taken := uuid.NewString(), s.submit("")
	s.turn(id)
	s.want(409, "ci", "infer", "POST", "/v2/tasks", task(`,"session_id":"`+id+`","task_id":"`+taken+`"`))
	if got := s.session(id); got["turns"] != 1.0 {
		t.Errorf("got %v, want 1 turn", got)
	}
}

func TestSessionsBelongToTheirIdentity(t *testing.T) {
	s := start(t, app.Options{})
	s.join("a", newPool(t, echo(1)), 1)
	id := uuid.NewString()
	s.turn(id)
	s.want(404, "eve", "infer", "GET", "/v2/sessions/"+id, nil)
	s.want(404, "eve", "infer", "DELETE", "/v2/sessions/"+id, nil)
	s.want(409, "eve", "infer", "POST", "/v2/tasks", task(`,"session_id":"`+id+`"`))
	s.want(200, "root", "admin", "GET", "/v2/sessions/"+id, nil)
	if got := s.session(id); got["turns"] != 1.0 || got["owner"] != "ci" {
		t.Errorf("got %v", got)
	}
}

func TestANamedSessionSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, app.Options{StateDir: dir})
	p := newPool(t, echo(1))
	s.join("a", p, 1)
	id := uuid.NewString()
	s.turn(id)
	s.turn(id)
	unnamed := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+s.submit(""), nil)["session_id"].(string)
	s.session(unnamed)
	testkit.Eventually(t, "warm", func() bool { return s.session(id)["kv_warmth"] == true })
	s.Stop(context.Background())

	s = start(t, app.Options{StateDir: dir})
	s.join("a", p, 1)
	if got := s.session(id); got["turns"] != 2.0 || got["kv_warmth"] != true || got["node_id"] != "a" {
		t.Errorf("got %v", got)
	}
	s.want(404, "ci", "infer", "GET", "/v2/sessions/"+unnamed, nil)
}
