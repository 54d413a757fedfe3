package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAResponseIsAskedForWhereItIs has two pools, of which one has made a response: what
// names the response goes there, and is not found for another identity.
func TestAResponseIsAskedForWhereItIs(t *testing.T) {
	s := serve(t, Options{})
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
	node, _, _ := strings.Cut(<-asked, " ")
	id := "resp_" + node
	for range 3 {
		s.want(200, "POST", "/v1/responses", `{"model":"demo","input":"y","previous_response_id":"`+id+`"}`)
		if got := <-asked; !strings.HasPrefix(got, node+" ") {
			t.Errorf("a follow-up went to %s, want %s", got, node)
		}
	}
	for method, operation := range map[string]string{"GET": "responses-get", "DELETE": "responses-delete"} {
		s.want(200, method, "/v1/responses/"+id, "")
		if got, want := <-asked, node+" /pools/p/call/"+operation+" "+id; got != want {
			t.Errorf("%s: got %s, want %s", method, got, want)
		}
	}
	s.want(200, "GET", "/v1/responses/"+id+"/input_items", "")
	<-asked
	s.want(200, "POST", "/v1/responses/"+id+"/cancel", "")
	<-asked
	s.want(404, "GET", "/v1/responses/of-no-task", "")
	s.want(404, "POST", "/v1/responses", `{"model":"demo","input":"y","previous_response_id":"of-no-task"}`)
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
