package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAResponseIsAskedForWhereItIs has two pools, of which one has made a response: what
// names the response goes there, and is not found for another identity.
func TestAResponseIsAskedForWhereItIs(t *testing.T) {
	s := serveWith(t, Options{}, orchestrator.Settings{Strategy: orchestrator.RoundRobin}) // unless something says otherwise
	asked := make(chan string, 9)
	for _, node := range []string{"n", "m"} {
		s.engine(node, 1, func(out frames, r *http.Request, _ string) {
			asked <- node + " " + r.URL.Path + " " + r.URL.Query().Get("object")
			out.head("application/json")
			out.send(nodeapi.FrameData, "{}")
			out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true, ResponseID: "resp_" + node})
		})
	}
	s.want(200, "POST", "/v1/responses", `{"model":"demo","input":"x"}`)
	node, _, _ := strings.Cut(testkit.Receive(t, asked, "the engine's request"), " ")
	id := "resp_" + node
	for range 3 {
		s.want(200, "POST", "/v1/responses", `{"model":"demo","input":"y","previous_response_id":"`+id+`"}`)
		if got := testkit.Receive(t, asked, "the engine's request"); !strings.HasPrefix(got, node+" ") {
			t.Errorf("a follow-up went to %s, want %s", got, node)
		}
	}
	for method, operation := range map[string]string{"GET": "responses-get", "DELETE": "responses-delete"} {
		s.want(200, method, "/v1/responses/"+id, "")
		if got, want := testkit.Receive(t, asked, "the engine's request"), node+" /pools/p/call/"+operation+" "+id; got != want {
			t.Errorf("%s: got %s, want %s", method, got, want)
		}
	}
	s.want(200, "GET", "/v1/responses/"+id+"/input_items", "")
	testkit.Receive(t, asked, "the engine's request")
	s.want(200, "POST", "/v1/responses/"+id+"/cancel", "")
	testkit.Receive(t, asked, "the engine's request")
	s.want(404, "GET", "/v1/responses/of-no-task", "")
	if got := s.want(404, "POST", "/v1/responses", `{"model":"demo","input":"y","previous_response_id":"of-no-task"}`); !strings.Contains(got, `"param":"previous_response_id"`) || !strings.Contains(got, `"message":"previous_response_id: `) {
		t.Errorf("a follow-up to no response: got %s", got)
	}
	op, _ := nodeapi.FindOperation("responses-get")
	_, err := s.o.SubmitCall(t.Context(), orchestrator.Who{Identity: "other", Admin: true}, orchestrator.CallRequest{Operation: op, Object: id})
	if refused, _ := errors.AsType[*orchestrator.Error](err); refused == nil || refused.Code != "RESPONSE_NOT_FOUND" {
		t.Errorf("another identity: got %v", err)
	}
	if err := s.o.RemoveNode(t.Context(), orchestrator.Who{Identity: node}, node); err != nil {
		t.Fatal(err)
	}
	if got := s.want(409, "POST", "/v1/responses", `{"model":"demo","input":"y","previous_response_id":"`+id+`"}`); !strings.Contains(got, "RESPONSE_POOL_GONE") {
		t.Errorf("its pool is gone: got %s", got)
	}
	if len(asked) > 0 {
		t.Errorf("more was asked: %s", <-asked)
	}
}

// TestATaskThatFollowsRunsWhereItsResponseIs: a response that is asked for as a task goes
// to the pool that keeps the one before, and is refused as on the route.
func TestATaskThatFollowsRunsWhereItsResponseIs(t *testing.T) {
	s := serveWith(t, Options{}, orchestrator.Settings{Strategy: orchestrator.RoundRobin}) // unless something says otherwise
	asked := make(chan string, 9)
	for _, node := range []string{"n", "m"} {
		s.engine(node, 1, func(out frames, _ *http.Request, _ string) {
			asked <- node
			out.head("application/json")
			out.send(nodeapi.FrameData, "{}")
			out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true, ResponseID: "resp_" + node})
		})
	}
	task := func(previous, more string) string {
		return `{"native":{"protocol":"responses","body":{"model":"demo","input":"y","previous_response_id":"` + previous + `"}}` + more + `}`
	}
	s.want(200, "POST", "/v1/responses", `{"model":"demo","input":"x"}`)
	first := testkit.Receive(t, asked, "the engine's request")
	id, other := "resp_"+first, map[string]string{"n": "m", "m": "n"}[first]
	for range 4 {
		s.want(202, "POST", "/v2/tasks", task(id, ""))
		if got := testkit.Receive(t, asked, "the engine's request"); got != first {
			t.Errorf("it went to %s, want %s", got, first)
		}
	}
	for more, want := range map[string]string{
		`,"placement":{"mode":"pin","pin_pool_id":"` + other + `/p"}`:         "INVALID_TASK",
		`,"placement":{"mode":"prefer","prefer_pools":["` + other + `/p"]}`:   "INVALID_TASK",
		`,"placement":{"mode":"auto","avoid_pools":["` + first + `/p"]}`:      "INVALID_TASK",
		`,"placement":{"mode":"auto","require_device_mask":"GPU-of-neither"}`: "INVALID_TASK",
	} {
		if got := s.want(422, "POST", "/v2/tasks", task(id, more)); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", more, got, want)
		}
	}
	if got := s.want(404, "POST", "/v2/tasks", task("of-no-task", "")); !strings.Contains(got, "RESPONSE_NOT_FOUND") {
		t.Errorf("no such response: got %s", got)
	}
	if err := s.o.RemoveNode(t.Context(), orchestrator.Who{Identity: first}, first); err != nil {
		t.Fatal(err)
	}
	if got := s.want(409, "POST", "/v2/tasks", task(id, "")); !strings.Contains(got, "RESPONSE_POOL_GONE") {
		t.Errorf("its pool is gone: got %s", got)
	}
	if len(asked) > 0 {
		t.Errorf("more was asked: %s", <-asked)
	}
}

// TestAResponseThatIsNotKeptIsNotThere: an engine that was told to keep nothing may answer
// a follow-up without the conversation.
func TestAResponseThatIsNotKeptIsNotThere(t *testing.T) {
	s := serve(t, Options{})
	var id string
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		out.head("application/json")
		out.send(nodeapi.FrameData, "{}")
		out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true, ResponseID: id})
	})
	for store, want := range map[string]int{"false": 404, "true": 200, "null": 200} {
		id = "resp_" + store
		s.want(200, "POST", "/v1/responses", `{"model":"demo","input":"x","store":`+store+`}`)
		got := s.want(want, "POST", "/v1/responses", `{"model":"demo","input":"y","store":false,"previous_response_id":"resp_`+store+`"}`)
		if want == 404 && !strings.Contains(got, `"param":"previous_response_id"`) {
			t.Errorf("store %s: got %s", store, got)
		}
		s.want(want, "GET", "/v1/responses/resp_"+store, "")
	}
	s.want(400, "POST", "/v1/responses", `{"model":"demo","input":"x","store":false,"store":true}`)
}
