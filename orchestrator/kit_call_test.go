package orchestrator_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// protocols are those of a pool of these tests.
var protocols = nodeapi.Protocols()

// nativeSink writes what a test's dispatch sends as the answer to a native call.
type nativeSink struct {
	w      http.ResponseWriter
	chat   bool
	stream bool
	model  string
	id     string // of a response
	status int    // of the engine, with an error
	begun  bool
	text   strings.Builder
	data   []map[string]any
}

// asDispatch gives a native call as the dispatch that says the same.
func asDispatch(w http.ResponseWriter, r *http.Request) (nodeapi.DispatchRequest, *nativeSink, error) {
	var body struct {
		Prompt   string
		Messages []struct{ Content any }
		Input    any
		Stream   bool
	}
	text, err := io.ReadAll(r.Body)
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &body)
	}
	if err != nil {
		return nodeapi.DispatchRequest{}, nil, err
	}
	q := r.URL.Query()
	d := nodeapi.DispatchRequest{TaskID: q.Get("task_id"), ModelRef: q.Get("model_ref"), Prompt: body.Prompt}
	d.DeadlineMS, _ = strconv.ParseInt(q.Get("deadline_ms"), 10, 64)
	d.StreamLimitMS, _ = strconv.ParseInt(cmp.Or(q.Get("stream_limit_ms"), "0"), 10, 64)
	for _, m := range body.Messages {
		d.Messages = append(d.Messages, nodeapi.Message{Role: "user", Content: fmt.Sprint(m.Content)})
	}
	switch input := body.Input.(type) {
	case string:
		d.Workload, d.Inputs = nodeapi.WorkloadEmbedding, []string{input}
	case []any:
		d.Workload = nodeapi.WorkloadEmbedding
		for _, one := range input {
			d.Inputs = append(d.Inputs, fmt.Sprint(one))
		}
	}
	id := ""
	if strings.HasSuffix(r.URL.Path, "/responses") {
		id = "resp_1"
	}
	w.Header().Set("Content-Type", nodeapi.CallContentType)
	return d, &nativeSink{id: id, w: w, chat: strings.HasSuffix(r.URL.Path, "/chat"), stream: body.Stream, model: q.Get("answer_model")}, nil
}

func (n *nativeSink) frame(kind nodeapi.FrameKind, payload []byte) {
	out, err := nodeapi.AppendFrame(nil, kind, payload)
	if err != nil {
		panic(err)
	}
	n.w.Write(out)
	n.w.(http.Flusher).Flush()
}

func (n *nativeSink) value(kind nodeapi.FrameKind, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	n.frame(kind, text)
}

// begin sends the head, once.
func (n *nativeSink) begin() {
	if n.begun {
		return
	}
	n.begun = true
	kind := "application/json"
	if n.stream {
		kind = "text/event-stream"
	}
	n.value(nodeapi.FrameHead, nodeapi.CallHead{Status: 200, ContentType: kind})
}

// choice is a text as OpenAI's answers have it.
func (n *nativeSink) choice(text string, finish any) map[string]any {
	c := map[string]any{"index": 0, "finish_reason": finish}
	switch {
	case n.chat && n.stream:
		c["delta"] = map[string]any{"role": "assistant", "content": text}
	case n.chat:
		c["message"] = map[string]any{"role": "assistant", "content": text}
	default:
		c["text"] = text
	}
	return map[string]any{"id": "x", "object": "o", "model": n.model, "choices": []any{c}}
}

func (n *nativeSink) chunk(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	n.frame(nodeapi.FrameData, fmt.Appendf(nil, "data: %s\n\n", text))
}

// send is sink.send for a native call.
func (n *nativeSink) send(ev nodeapi.Event) {
	switch ev.Type {
	case nodeapi.EventToken:
		n.text.WriteString(ev.Text)
		if n.stream {
			n.begin()
			n.chunk(n.choice(ev.Text, nil))
		}
	case nodeapi.EventEmbedding:
		n.data = append(n.data, map[string]any{"index": ev.Index, "embedding": ev.Vector})
	case nodeapi.EventError:
		n.value(nodeapi.FrameError, nodeapi.CallError{Code: ev.Code, Message: ev.Message, Engine: ev.Engine, RetryAfterMS: ev.RetryAfterMS, Status: n.status, Body: []byte("{}")})
	case nodeapi.EventEnd:
		n.end(ev)
	}
}

func (n *nativeSink) end(ev nodeapi.Event) {
	n.begin()
	usage := map[string]any{"prompt_tokens": ev.TokensIn, "completion_tokens": ev.TokensOut, "total_tokens": ev.TokensIn + ev.TokensOut}
	switch {
	case n.data != nil:
		slices.SortFunc(n.data, func(a, b map[string]any) int { return a["index"].(int) - b["index"].(int) })
		n.whole(map[string]any{"object": "list", "model": n.model, "data": n.data, "usage": usage})
	case n.stream:
		n.chunk(n.choice("", ev.FinishReason))
		n.chunk(map[string]any{"id": "x", "object": "o", "model": n.model, "choices": []any{}, "usage": usage})
		n.frame(nodeapi.FrameLast, []byte("data: [DONE]\n\n"))
	default:
		answer := n.choice(n.text.String(), ev.FinishReason)
		answer["usage"] = usage
		n.whole(answer)
	}
	n.value(nodeapi.FrameEnd, nodeapi.CallEnd{ResponseID: n.id, TokensIn: ev.TokensIn, TokensOut: ev.TokensOut, DecodeMS: ev.DecodeMS, FinishReason: ev.FinishReason,
		Succeeded: n.data != nil || ev.FinishReason == "stop" || ev.FinishReason == "length"})
}

func (n *nativeSink) whole(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	for rest := text; len(rest) > 0; {
		size := min(len(rest), nodeapi.MaxPieceBytes)
		n.frame(nodeapi.FrameData, rest[:size])
		rest = rest[size:]
	}
}
