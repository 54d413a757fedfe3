package poolmanager

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestTheDemoEngineSpeaksEveryProtocol runs each operation as a native call.
func TestTheDemoEngineSpeaksEveryProtocol(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	c := &callRig{rig: r, t: t}
	const say = `"messages":[{"role":"user","content":"hello there"}]`
	for _, w := range []struct {
		operation, body string
		streams, counts bool
		finish          string
	}{
		{"chat", `{"model":"x",` + say, true, true, "stop"},
		{"completions", `{"model":"x","prompt":"hello there"`, true, true, "stop"},
		{"responses", `{"model":"x","input":"hello there"`, true, true, "completed"},
		{"responses-input-tokens", `{"model":"x","input":"hello there"`, false, false, ""},
		{"messages", `{"model":"x","max_tokens":9,` + say, true, true, "max_tokens"},
		{"messages-count-tokens", `{"model":"x",` + say, false, false, ""},
		{"embeddings", `{"model":"x","input":"hello there"`, false, false, ""},
		{"rerank", `{"model":"x","query":"hello","documents":["hello there"]`, false, false, ""},
		{"ollama-chat", `{"model":"x",` + say, true, true, "stop"},
		{"ollama-generate", `{"model":"x","prompt":"hello there"`, true, true, "stop"},
		{"ollama-embed", `{"model":"x","input":"hello there"`, false, false, ""},
		{"ollama-embeddings", `{"model":"x","prompt":"hello there"`, false, false, ""},
		{"ollama-show", `{"model":"x"`, false, false, ""},
	} {
		for _, stream := range []bool{false, true} {
			if stream && !w.streams {
				continue
			}
			body := w.body + `,"stream":false}`
			if stream {
				body = w.body + `,"stream":true}`
			}
			q := request(w.operation, body)
			q.ModelRef, q.Stream = "demo", stream
			got := c.must(q)
			e := got.end
			if !strings.HasSuffix(got.kinds, "E") || strings.Contains(got.kinds, "L") != stream || !e.Succeeded || e.Estimated || e.FinishReason != w.finish ||
				w.counts && (e.TokensIn < 2 || e.TokensOut < 9) || e.Bytes != int64(len(got.data)) {
				t.Errorf("%s, stream %v: frames %s, end %+v, error %+v", w.operation, stream, got.kinds, e, got.error)
			}
			if w.counts && (!strings.Contains(got.data, `"model":"client-model"`) || strings.Contains(got.data, `"model":"demo"`)) {
				t.Errorf("%s, stream %v: the answer's model is not the client's: %.300s", w.operation, stream, got.data)
			}
			if w.operation == "responses" && !strings.HasPrefix(e.ResponseID, "resp_") {
				t.Errorf("%s: the response's id is %q", w.operation, e.ResponseID)
			}
		}
	}
}

func TestAResponseIsReadByItsID(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	c := &callRig{rig: r, t: t}
	id := c.must(aboutObject("responses", "", `{"model":"x","input":"hi"}`)).end.ResponseID
	for operation, want := range map[string]string{"responses-get": `"model":"client-model"`, "responses-input-items": `"text":"hi"`} {
		if got := c.must(aboutObject(operation, id, "")); !strings.Contains(got.data, want) || !got.end.Succeeded {
			t.Errorf("%s: got %s, %+v", operation, got.data, got.error)
		}
	}
	if got := c.must(aboutObject("responses-cancel", id, "")).error; got.Status != 400 || got.Code != "ENGINE_REJECTED" || !json.Valid(got.Body) {
		t.Errorf("cancel: got %+v", got)
	}
	c.must(aboutObject("responses-delete", id, ""))
	if got := c.must(aboutObject("responses-get", id, "")).error; got.Status != 404 || got.Code != "ENGINE_REJECTED" {
		t.Errorf("after that: got %+v", got)
	}
	for _, object := range []string{"", "../x", "a/b", strings.Repeat("a", 257)} {
		if _, err := c.runCall(aboutObject("responses-get", object, "")); statusOf(err) != 422 {
			t.Errorf("object %q: got %v, want 422", object, err)
		}
	}
}

// aboutObject is a call about an object, or with a body.
func aboutObject(operation, object, body string) nodeapi.CallRequest {
	q := request(operation, body)
	q.ModelRef, q.Object = "demo", object
	return q
}
