package poolmanager

import (
	"strings"
	"testing"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const chatStream = `data: {"id":"c1","model":"engine-model","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}` + "\n\n" +
	`data: {"id":"c1","model":"engine-model","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}],"usage":null}` + "\n\n" +
	`data: {"id":"c1","model":"engine-model","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}],"usage":null}` + "\n\n" +
	`data: {"id":"c1","model":"engine-model","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}` + "\n\n" +
	`data: {"id":"c1","model":"engine-model","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}` + "\n\n" +
	"data: [DONE]\n\n"

func TestAStreamedChatPassesAsItIsButForTheModelAndUsage(t *testing.T) {
	c := startCalls(t, nil)
	c.answers(200, "text/event-stream; charset=utf-8", chatStream)
	r := request("chat", `{"model": "client-model", "messages":[], "stream":true, "top_k": 7.0}`)
	r.Stream = true
	got := c.must(r)
	want := strings.ReplaceAll(strings.ReplaceAll(chatStream, "engine-model", "client-model"), `,"usage":null`, "")
	lines := strings.SplitAfter(want, "\n\n")
	want = strings.Join(append(lines[:4:4], lines[5:]...), "")
	if got.data != want || got.kinds != "HDDDDLE" {
		t.Errorf("frames %s; got\n%s\nwant\n%s", got.kinds, got.data, want)
	}
	if e := got.end; e.TokensIn != 9 || e.TokensOut != 2 || e.CachedIn != 4 || e.Estimated || e.FinishReason != "stop" || !e.Succeeded || e.Bytes != int64(len(want)) {
		t.Errorf("end: got %+v", e)
	}
	if got := string(c.sent); got != `{"stream_options":{"include_usage":true},"model": "engine-model", "messages":[], "stream":true, "top_k": 7.0}` {
		t.Errorf("the engine got %s", got)
	}
	r = request("chat", `{"model": "client-model", "stream":true}`)
	r.Stream, r.ShowUsage = true, true
	if got, want := c.must(r).data, strings.ReplaceAll(chatStream, "engine-model", "client-model"); got != want {
		t.Errorf("with usage: got\n%s\nwant\n%s", got, want)
	}
}

func TestAWholeAnswerPassesAsItIsButForTheModel(t *testing.T) {
	c := startCalls(t, nil)
	body := `{ "id":"x", "model" : "engine-model", "choices":[{"message":{"content":"grüße","tool_calls":null},"finish_reason":"tool_calls"}], "usage":{"prompt_tokens":3,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":2}} }`
	c.answers(200, "application/json", body)
	got := c.must(request("chat", `{"model":"client-model"}`))
	if want := strings.ReplaceAll(body, "engine-model", "client-model"); got.data != want || got.kinds != "HDE" || got.head.ContentType != "application/json" || got.head.Status != 200 {
		t.Errorf("frames %s, head %+v; got\n%s\nwant\n%s", got.kinds, got.head, got.data, want)
	}
	if e := got.end; e.TokensIn != 3 || e.TokensOut != 5 || e.ReasoningOut != 2 || e.FinishReason != "tool_calls" || !e.Succeeded {
		t.Errorf("end: got %+v", e)
	}
}

// TestAnEngineWithoutMemoryIsNotAskedToGoOn: it would answer without the conversation.
func TestAnEngineWithoutMemoryIsNotAskedToGoOn(t *testing.T) {
	for engine, refused := range map[string]bool{"ollama": true, "vllm": false, "llamacpp": false, "sglang": false, "openai": false} {
		c := startCalls(t, func(t *Template) { t.Engine, t.RefuseMembers = engine, []string{} })
		c.answers(200, "application/json", `{"object":"response","id":"resp_2","status":"completed"}`)
		_, err := c.runCall(request("responses", `{"model":"m","input":"x","previous_response_id":"resp_1"}`))
		if got := statusOf(err); refused && (got != 400 || !strings.Contains(err.Error(), "previous_response_id: this engine keeps no responses")) || !refused && err != nil {
			t.Errorf("%s: got %v", engine, err)
		}
		if _, err := c.runCall(request("responses", `{"model":"m","input":"x","previous_response_id":null}`)); err != nil {
			t.Errorf("%s, without one: got %v", engine, err)
		}
	}
}

func TestACallThatCannotBeginIsRefusedByStatus(t *testing.T) {
	c := startCalls(t, func(t *Template) { t.Protocols, t.RequestBytes = []nodeapi.Protocol{nodeapi.Chat}, 100 })
	for name, w := range map[string]struct {
		request nodeapi.CallRequest
		status  int
	}{
		"no such operation": {request("chats", `{"model":"m"}`), 404},
		"another protocol":  {request("messages", `{"model":"m"}`), 409},
		"too large":         {request("chat", `{"model":"m","x":"`+strings.Repeat("x", 100)+`"}`), 413},
		"not JSON":          {request("chat", `{"model":"m"`), 400},
		"an address":        {request("chat", `{"model":"m","messages":[{"content":[{"image_url":{"url":"http://a"}}]}]}`), 400},
		"a refused member":  {request("chat", `{"model":"m","priority":1}`), 400},
	} {
		_, err := c.runCall(w.request)
		if got := statusOf(err); got != w.status {
			t.Errorf("%s: got %v, want %d", name, err, w.status)
		}
	}
	if c.seen != nil {
		t.Errorf("the engine got %s", c.sent)
	}
	r := request("chat", `{"model":"m","x":"m"}`)
	r.Places.Model = [2]int64{17, 20}
	if _, err := c.runCall(r); statusOf(err) != 422 {
		t.Errorf("a place that is not the model's: got %v, want 422", err)
	}
	r = request("chat", `{"model":"m"}`)
	r.ModelRef = "another"
	if _, err := c.runCall(r); statusOf(err) != 409 {
		t.Errorf("another model: got %v, want 409", err)
	}
}
