package poolmanager

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAQueryReachesTheEngineAsItIs, and what is asked for by an id is streamed where the
// engine streams it.
func TestAQueryReachesTheEngineAsItIs(t *testing.T) {
	c := startCalls(t, nil)
	const events = "event: response.created\ndata: {\"response\":{\"id\":\"resp_1\",\"model\":\"engine-model\"}}\n\nevent: response.completed\ndata: {\"response\":{\"id\":\"resp_1\",\"model\":\"engine-model\"}}\n\n"
	const whole = `{"object":"response","id":"resp_1","model":"engine-model","status":"completed"}`
	for name, w := range map[string]struct {
		operation, query, kind, answer, kinds string
		stream                                bool
	}{
		"one response":       {"responses-get", "include[]=a.b&include%5b%5d=%2F", "application/json", whole, "HDE", false},
		"as events":          {"responses-get", "stream=true&starting_after=7", "text/event-stream", events, "HDLE", true},
		"as events, refused": {"responses-get", "stream=true", "application/json", whole, "HDE", true},
		"a page":             {"responses-input-items", "limit=2&after=m_1", "application/json", `{"data":[]}`, "HDE", false},
		"a beta":             {"messages", "beta=true", "application/json", `{"type":"message","model":"engine-model","stop_reason":"end_turn"}`, "HDE", false},
	} {
		c.answers(200, w.kind, w.answer)
		r := request(w.operation, "")
		r.Object = "resp_1"
		if op, _ := nodeapi.FindOperation(w.operation); !op.HasObject() {
			r = request(w.operation, `{"model":"m"}`)
		}
		r.Query, r.Stream = w.query, w.stream
		got := c.must(r)
		if want := strings.ReplaceAll(w.answer, "engine-model", "client-model"); got.data != want || got.kinds != w.kinds || got.head.ContentType != w.kind {
			t.Errorf("%s: frames %s of %s, %+v; got\n%s\nwant\n%s", name, got.kinds, got.head.ContentType, got.error, got.data, want)
		}
		if _, query, _ := strings.Cut(c.seen.RequestURI, "?"); query != w.query {
			t.Errorf("%s: the engine got %s, want the query %s", name, c.seen.RequestURI, w.query)
		}
	}
}

// TestWhatABodyMayNotSayNoQuerySays, nor what has two readings.
func TestWhatABodyMayNotSayNoQuerySays(t *testing.T) {
	c := startCalls(t, func(t *Template) {
		t.RefuseMembers = []string{"priority", "options.num_ctx <= 8", "tools.type = web_search*"}
	})
	c.answers(200, "application/json", `{"object":"response","id":"resp_1","status":"completed"}`)
	for query, status := range map[string]int{
		"priority=1": 400, "PRIORITY=1": 400, "%70riority": 400, "options.num_ctx=9": 400, "priorities=1": 200,
		"options[num_ctx]=9": 400, "options%5Bnum_ctx%5D=9": 400, "priority[]=1": 400, "tools[0][type]=web_search": 400,
		"image_url=http://10.0.0.1/x": 400, "messages[content][image_url][url]=file:%2F%2F%2Fx": 400, "image_url=data:image/png;base64,eA==": 422,
		"image_url=data:x,y": 200, "server_url=http://10.0.0.1": 400,
		"a;b": 422, "a=%0a": 422, "a=%zz": 422, "a#b": 422,
	} {
		r := request("responses", `{"model":"m"}`)
		r.Query = query
		_, err := c.runCall(r)
		if got := statusOf(err); err == nil && status != 200 || err != nil && got != status {
			t.Errorf("%s: got %v, want %d", query, err, status)
		}
	}
}

// A server of llama.cpp with several models loads one for a query, whatever its operator
// has said of that. Neither it nor an engine of an unknown kind gets such a query.
func TestNoQueryLoadsAModel(t *testing.T) {
	for _, engine := range []string{"llamacpp", "openai"} {
		rules, err := newRequestRules(Template{Engine: engine})
		if err != nil {
			t.Fatal(err)
		}
		if err := rules.checkQuery("autoload=1"); !errors.Is(err, errMember) {
			t.Errorf("%s: got %v", engine, err)
		}
	}
}

// TestAFailureDoesNotRepeatTheQuery: it is the client's, and failures are logged.
func TestAFailureDoesNotRepeatTheQuery(t *testing.T) {
	op, _ := nodeapi.FindOperation("responses-get")
	target := adapter.Target{Base: "http://127.0.0.1:1"}
	_, err := target.Call(t.Context(), http.DefaultClient, adapter.Call{Operation: op, Object: "resp_1", Query: "q=canary"}, func([]byte, bool) error { return nil })
	if failed, ok := errors.AsType[*adapter.Error](err); !ok || failed.Class != adapter.ClassUnavailable || strings.Contains(err.Error(), "canary") {
		t.Errorf("engine: got %v", err)
	}
	client := nodeapi.New("http://127.0.0.1:1", func() string { return "" }, nil)
	if _, err = client.Call(t.Context(), "p", nodeapi.CallRequest{Operation: "responses-get", Query: "q=canary"}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("node: got %v", err)
	}
}
