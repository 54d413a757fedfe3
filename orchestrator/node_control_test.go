package orchestrator_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
)

// commanded is a pool that answers commands, and what it was told.
func commanded(t *testing.T, status int, answer string) (*pool, chan string) {
	p, told := newPool(t, echo(1)), make(chan string, 10)
	p.command = func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		told <- r.Method + " " + r.URL.Path + " " + string(text)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}
	return p, told
}

func TestCommandsReachThePoolManagerUnderBothNames(t *testing.T) {
	s := start(t, app.Options{})
	p, told := commanded(t, 202, `{"pool_id":"p","state":"draining"}`)
	s.join("n1", p, 1)
	for _, c := range []struct{ path, body, want string }{
		{"/v2/pools/p/drain", `{"deadline_ms":5}`, `POST /pools/p/drain {"deadline_ms":5}`},
		{"/control/pools/p/drain", `{"deadline_ms":0}`, `POST /pools/p/drain {"deadline_ms":0}`},
		{"/v2/pools/p/reload", `{"new_model_ref":"file:m"}`, `POST /pools/p/reload {"model_ref":"file:m"}`},
		{"/control/pools/p/reload", `{"new_model_ref":"file:m"}`, `POST /pools/p/reload {"model_ref":"file:m"}`},
		{"/v2/pools/p/purge", ``, `POST /pools/p/stop `},
	} {
		answer := s.want(202, "root", "admin", "POST", c.path, c.body)
		if got := testkit.Receive(t, told, "a message"); got != c.want || fmt.Sprint(answer["nodes"]) != "[map[node_id:n1 state:draining]]" {
			t.Errorf("%s: told %q, answered %v, want %q", c.path, got, answer, c.want)
		}
		s.want(404, "root", "admin", "POST", strings.Replace(c.path, "/p/", "/q/", 1), c.body)
	}
	s.want(422, "root", "admin", "POST", "/v2/pools/p/reload", `{"new_model_ref":""}`)
	s.want(422, "root", "admin", "POST", "/v2/pools/p/drain", `{"deadline_ms":-1}`)
}

func TestADrainedPoolGetsNoTasksBeforeItsNextHeartbeat(t *testing.T) {
	s := start(t, app.Options{})
	p, _ := commanded(t, 202, `{"pool_id":"p","state":"draining"}`)
	s.join("n1", p, 1)
	s.want(202, "root", "admin", "POST", "/v2/pools/p/drain", `{"deadline_ms":1000}`)
	if got := s.want(200, "root", "admin", "GET", "/v2/pools/p/health", nil); got["draining"] != true {
		t.Errorf("got %v, want draining", got)
	}
	id := s.submit("")
	s.join("n2", newPool(t, echo(1)), 1)
	s.follow(id, "").rest()
	if got := s.want(200, "ci", "infer", "GET", "/v2/tasks/"+id, nil); got["node_id"] != "n2" || len(p.calls) != 0 {
		t.Errorf("got %v, want it on n2", got)
	}
	s.want(200, "n1", "nodes", "POST", "/v2/nodes/n1/heartbeat", beat(p, time.Now()))
	if got := s.want(200, "root", "admin", "GET", "/v2/pools/n1/p/health", nil); got["slots_total"] != 1.0 || got["draining"] != false {
		t.Errorf("after a heartbeat: got %v", got)
	}
}

func TestAReloadThatRolledBackIsAConflictAndThePoolServesOn(t *testing.T) {
	s := start(t, app.Options{})
	p, _ := commanded(t, 409, `{"code":"RELOAD_ROLLED_BACK","hint":"out of memory"}`)
	s.join("n1", p, 1)
	got := s.want(409, "root", "admin", "POST", "/v2/pools/p/reload", `{"new_model_ref":"file:huge"}`)
	if got["code"] != "RELOAD_ROLLED_BACK" || got["hint"] != "node n1: out of memory" {
		t.Errorf("got %v", got)
	}
	if got := types(s.follow(s.submit(""), "").rest()); got != "started token end" {
		t.Errorf("the old model: got %q", got)
	}
}

// models lists what GET /v1/models names.
func (s *service) models() (ids []string) {
	s.t.Helper()
	for _, m := range s.want(200, "ci", "infer", "GET", "/v1/models", nil)["data"].([]any) {
		ids = append(ids, m.(map[string]any)["id"].(string))
	}
	return ids
}

func TestAReloadedPoolHasItsNewModel(t *testing.T) {
	s := start(t, app.Options{})
	p, _ := commanded(t, 202, `{"pool_id":"p","state":"ready"}`)
	s.join("n1", p, 1)
	s.want(202, "root", "admin", "POST", "/v2/pools/p/reload", `{"new_model_ref":"new"}`)
	s.want(404, "ci", "infer", "POST", "/v2/tasks", task(""))
	id := s.want(202, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"new","prompt":"x"}`)["task_id"].(string)
	if got := types(s.follow(id, "").rest()); got != "started token end" {
		t.Errorf("got %q", got)
	}
	s.enter("old", digest("x"), "file:x", "")
	s.catalog(202, "POST", "/models/old/state", `{"state":"Retired"}`)
	if got := s.want(409, "root", "admin", "POST", "/v2/pools/p/reload", `{"new_model_ref":"catalog:old"}`); got["code"] != "MODEL_RETIRED" {
		t.Errorf("a retired model: got %v", got)
	}
}

func TestWhatAPoolManagerAnswersIsTranslated(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		answer string
		want   int
		code   string
	}{
		"not ready":       {409, `{"code":"POOL_NOT_READY","hint":"x"}`, 409, "POOL_NOT_READY"},
		"a forged code":   {409, `{"code":"x\"\r\ninjected","hint":"x"}`, 409, "NODE_REFUSED"},
		"bad model":       {422, `{"code":"INVALID_MODEL_REF"}`, 422, "INVALID_MODEL_REF"},
		"our credential":  {401, `{"code":"BAD_TOKEN"}`, 503, "NODE_REFUSED"},
		"its own trouble": {500, `oops`, 503, "NODE_REFUSED"},
		"a redirect":      {307, ``, 503, "NODE_REFUSED"},
	} {
		s := start(t, app.Options{})
		p, _ := commanded(t, c.status, c.answer)
		s.join("n1", p, 1)
		if got := s.want(c.want, "root", "admin", "POST", "/v2/pools/p/drain", `{"deadline_ms":0}`); got["code"] != c.code {
			t.Errorf("%s: got %v, want %s", name, got, c.code)
		}
	}
	s := start(t, app.Options{Settings: orchestrator.Settings{NodeTimeout: 50 * time.Millisecond}})
	p, _ := commanded(t, 202, `{}`)
	s.join("n1", p, 1)
	p.Close()
	if status, _, got := s.send(s.request("root", "admin", "POST", "/v2/pools/p/drain", `{"deadline_ms":0}`)); status != 503 {
		t.Errorf("a node that is gone: got %d %v", status, got)
	}
	testkit.Eventually(t, "the node is offline", func() bool {
		_, _, got := s.send(s.request("root", "admin", "POST", "/v2/pools/p/drain", `{"deadline_ms":0}`))
		return got["code"] == "NODE_OFFLINE"
	})
}

func TestACommandGoesOnWhenItsCallerHangsUp(t *testing.T) {
	s := start(t, app.Options{})
	p, begun, goOn := newPool(t, echo(1)), make(chan struct{}), make(chan struct{})
	p.command = func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		select {
		case <-goOn:
			fmt.Fprint(w, `{"pool_id":"p","state":"ready"}`)
		case <-r.Context().Done():
		}
	}
	s.join("n1", p, 1)
	ctx, hangUp := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		if res, err := http.DefaultClient.Do(s.request("root", "admin", "POST", "/v2/pools/p/reload", `{"new_model_ref":"new"}`).WithContext(ctx)); err == nil {
			res.Body.Close()
		}
	}()
	testkit.Receive(t, begun, "the engine's call")
	hangUp()
	testkit.Receive(t, left, "the end of the caller")
	close(goOn)
	testkit.Eventually(t, "the new model is there", func() bool {
		text := fmt.Sprint(s.want(200, "ci", "infer", "GET", "/v1/models", nil))
		return strings.Contains(text, "id:new")
	})
}

func TestWorkersRegisterAtAKnownPool(t *testing.T) {
	s := start(t, app.Options{})
	register := func(status int, identity, body string) map[string]any {
		t.Helper()
		return s.want(status, identity, "nodes", "POST", "/v2/workers/register", body)
	}
	register(404, "w", `{}`)
	s.join("n1", newPool(t, echo(1)), 1)
	if got := register(200, "w", `{}`); got["ok"] != true || got["identity"] != "w" || got["pool_id"] != "p" || got["replica_id"] == "" {
		t.Errorf("got %v", got)
	}
	register(200, "w", `{"pool_id":"p","replica_id":"r0"}`)
	register(200, "w", `{"pool_id":"p","replica_id":"r0"}`)
	register(403, "eve", `{"pool_id":"p","replica_id":"r0"}`)
	register(404, "w", `{"pool_id":"q"}`)
	register(404, "w", `{"pool_id":"../p"}`)
	register(422, "w", `{"pool_id":"p","replica_id":"../r"}`)
	if got := s.want(200, "root", "admin", "GET", "/v2/pools/p/health", nil); got["replicas"] != 2.0 {
		t.Errorf("got %v, want 2 replicas", got)
	}
}
