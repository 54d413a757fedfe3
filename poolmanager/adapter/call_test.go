package adapter

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// readCall reads an engine's answer as a call does and gives the kinds of its frames,
// what the client gets, and how it ended.
func readCall(t *testing.T, operation string, stream bool, kind string, body io.Reader, change func(*callReader)) (kinds, data string, end nodeapi.CallEnd, err error) {
	t.Helper()
	op, ok := nodeapi.FindOperation(operation)
	if !ok {
		t.Fatalf("no operation %s", operation)
	}
	_, progress := Limits{}.watch(t.Context())
	defer progress.stop()
	var frames bytes.Buffer
	r := &callReader{
		call: Call{Operation: op, Stream: stream, HideUsage: stream && (op.Protocol == nodeapi.Chat || op.Protocol == nodeapi.Completions), MaxAnswer: 1 << 20}, progress: progress, kind: kind, model: quoted("client"),
		emit:   func(p []byte, _ bool) error { frames.Write(p); return nil },
		hangUp: func() {}, scan: answerScanner.Copy(),
		head: nodeapi.CallHead{Status: 200, ContentType: kind},
	}
	if change != nil {
		change(r)
	}
	if stream {
		err = r.readStream(t.Context(), body)
	} else {
		err = r.readWhole(t.Context(), body)
	}
	answer := r.answer()
	if err == nil {
		frames.Write(answer.Rest)
	}
	kinds, data = unframed(t, frames.Bytes())
	answer.End.DecodeMS = 0
	return kinds, data, answer.End, err
}

// unframed reads frames: their kinds, and the payload of those with data.
func unframed(t *testing.T, frames []byte) (kinds, data string) {
	t.Helper()
	for len(frames) > 0 {
		size := int(frames[1])<<24 | int(frames[2])<<16 | int(frames[3])<<8 | int(frames[4])
		kind := nodeapi.FrameKind(frames[0])
		kinds += string(rune(kind))
		if kind != nodeapi.FrameHead {
			data += string(frames[5 : 5+size])
		}
		frames = frames[5+size:]
	}
	return kinds, data
}

const (
	okChat    = `{"model":"engine","choices":[{"delta":{"content":"a"}}]}`
	endOfChat = `{"model":"engine","choices":[{"delta":{},"finish_reason":"stop"}]}`
)

// events are event streams and what the client gets of them.
var streamed = map[string]struct {
	operation, kind string
	sent, want      string // "" as want: what was sent, with the model's other name
	end             nodeapi.CallEnd
}{
	"chat": {"chat", mediaEvents,
		"data: " + okChat + "\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n", "",
		nodeapi.CallEnd{TokensOut: 1, Estimated: true, FinishReason: "stop", Succeeded: true}},
	"chat, like events": {"chat", mediaEvents,
		strings.Repeat("data: "+okChat+"\n\n", 3) + `data: {"model":"engine","choices":[{"delta":{"content":"\u00fc\"\\\n"}}]}` + "\n\n" + `data: {"model":"engine","choices":[{"delta":{"content":"grüße 世界"}}]}` +
			"\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n", "",
		nodeapi.CallEnd{TokensOut: 5, Estimated: true, FinishReason: "stop", Succeeded: true}},
	"comments, ids, empty events": {"chat", mediaEvents,
		": hi\n\nid: 7\nretry: 5\nevent: x\n\ndata:\n\ndata: \n\n\n\n:\ndata:" + okChat + "\nid: 8\n\n: x\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n",
		"data: " + okChat + "\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n",
		nodeapi.CallEnd{TokensOut: 1, Estimated: true, FinishReason: "stop", Succeeded: true}},
	"carriage returns": {"chat", mediaEvents,
		"data: " + okChat + "\r\n\r\ndata: " + okChat + "\r\rdata: " + endOfChat + "\r\n\r\ndata: [DONE]\r\n\r\n",
		"data: " + okChat + "\n\ndata: " + okChat + "\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n",
		nodeapi.CallEnd{TokensOut: 2, Estimated: true, FinishReason: "stop", Succeeded: true}},
	"several lines of data": {"chat", mediaEvents,
		"\ufeffdata: {\"model\":\ndata: \"engine\",\ndata:  \"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n",
		"data: {\"model\":\ndata: \"engine\",\ndata:  \"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n",
		nodeapi.CallEnd{TokensOut: 1, Estimated: true, FinishReason: "stop", Succeeded: true}},
	"no empty line after the end": {"chat", mediaEvents,
		"data: " + okChat + "\n\ndata: " + endOfChat + "\n\ndata: [DONE]", "data: " + okChat + "\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n",
		nodeapi.CallEnd{TokensOut: 1, Estimated: true, FinishReason: "stop", Succeeded: true}},
	"usage alone and beside": {"chat", mediaEvents,
		`data: {"usage":null,"choices":[{"delta":{"content":"a"}}]}` + "\n\n" + `data: {"choices":[{"delta":{},"finish_reason":"length"}] , "usage" : {"prompt_tokens":1,"completion_tokens":2} }` + "\n\n" +
			`data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":1}}}` + "\n\ndata: [DONE]\n\n",
		`data: {"choices":[{"delta":{"content":"a"}}]}` + "\n\n" + `data: {"choices":[{"delta":{},"finish_reason":"length"}]  }` + "\n\ndata: [DONE]\n\n",
		nodeapi.CallEnd{TokensIn: 3, TokensOut: 4, CachedIn: 2, ReasoningOut: 1, FinishReason: "length", Succeeded: true}},
	"only usage": {"chat", mediaEvents, // an object with nothing else stays one
		`data: {"usage":null}` + "\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n", "data: {}\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n",
		nodeapi.CallEnd{FinishReason: "stop", Succeeded: true}},
	"an escaped NUL": {"chat", mediaEvents,
		`data: {"choices":[{"delta":{"content":"\u0000"}}]}` + "\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n", "",
		nodeapi.CallEnd{TokensOut: 1, Estimated: true, FinishReason: "stop", Succeeded: true}},
	"a word that is no success": {"chat", mediaEvents,
		`data: {"choices":[{"delta":{"content":"a"},"finish_reason":"abort"}]}` + "\n\n" + `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n", "",
		nodeapi.CallEnd{TokensOut: 1, Estimated: true, FinishReason: "abort"}},
	"tool calls": {"chat", mediaEvents,
		`data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":""}}]}}]}` + "\n\n" +
			`data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}}]}` + "\n\n" +
			`data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}` + "\n\n" +
			`data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}` + "\n\ndata: [DONE]\n\n", "",
		nodeapi.CallEnd{TokensOut: 3, Estimated: true, FinishReason: "tool_calls", Succeeded: true}},
	"completions": {"completions", mediaEvents,
		`data: {"model":"engine","choices":[{"text":"a","index":0}]}` + "\n\n" + `data: {"model":"engine","choices":[{"text":"","finish_reason":"length"}]}` + "\n\ndata: [DONE]\n\n", "",
		nodeapi.CallEnd{TokensOut: 1, Estimated: true, FinishReason: "length", Succeeded: true}},
	"responses": {"responses", mediaEvents,
		"event: response.created\n" + `data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"engine","status":"in_progress"}}` + "\n\n" +
			"event: response.output_text.delta\n" + `data: {"type":"response.output_text.delta","sequence_number":1,"delta":"a"}` + "\n\n" +
			"event: response.output_text.delta\n" + `data: {"type":"response.output_text.delta","sequence_number":2,"delta":"b"}` + "\n\n" +
			"event: response.completed\n" + `data: {"type":"response.completed","response":{"id":"resp_1","model":"engine","status":"completed","usage":{"input_tokens":5,"output_tokens":6,"input_tokens_details":{"cached_tokens":1},"output_tokens_details":{"reasoning_tokens":2}}}}` + "\n\n", "",
		nodeapi.CallEnd{TokensIn: 5, TokensOut: 6, CachedIn: 1, ReasoningOut: 2, FinishReason: "completed", Succeeded: true, ResponseID: "resp_1"}},
	"messages": {"messages", mediaEvents,
		"event: message_start\n" + `data: {"type":"message_start","message":{"id":"m","model":"engine","usage":{"input_tokens":5,"cache_read_input_tokens":3,"output_tokens":1}}}` + "\n\n" +
			"event: ping\ndata: {\"type\":\"ping\"}\n\n" +
			"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}` + "\n\n" +
			"event: message_delta\n" + `data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}}` + "\n\n" +
			"event: message_stop\n" + `data: {"type":"message_stop"}` + "\n\n", "",
		nodeapi.CallEnd{TokensIn: 8, TokensOut: 7, CachedIn: 3, FinishReason: "tool_use", Succeeded: true}},
	"ollama": {"ollama-chat", mediaLines,
		`{"model":"engine","created_at":"2025-01-01T00:00:00.1Z","message":{"role":"assistant","content":"a"},"done":false}` + "\n" +
			`{"model":"engine","created_at":"2025-01-01T00:00:00.2Z","message":{"role":"assistant","content":"b"},"done":false}` + "\n" +
			`{"model":"engine","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":4,"eval_count":2}` + "\n", "",
		nodeapi.CallEnd{TokensIn: 4, TokensOut: 2, FinishReason: "stop", Succeeded: true}},
}

func TestOllamaMayAnswerARequestForLinesWithOne(t *testing.T) {
	const line = `{"model":"engine","message":{"role":"assistant","content":""},"done":true,"done_reason":"load"}`
	kinds, got, end, err := readCall(t, "ollama-chat", true, "application/json; charset=utf-8", strings.NewReader(line), nil)
	if err != nil || kinds != "HL" || got != strings.ReplaceAll(line, "engine", "client")+"\n" || end.FinishReason != "load" || !end.Succeeded {
		t.Errorf("frames %s of %q, %+v, %v", kinds, got, end, err)
	}
}

func TestAStreamedAnswerPassesEventByEvent(t *testing.T) {
	for name, c := range streamed {
		t.Run(name, func(t *testing.T) {
			want := strings.ReplaceAll(c.sent, `"engine"`, `"client"`)
			if c.want != "" {
				want = strings.ReplaceAll(c.want, `"engine"`, `"client"`)
			}
			c.end.Bytes = int64(len(want))
			for split, body := range map[string]io.Reader{
				"whole": strings.NewReader(c.sent), "bytes": iotest.OneByteReader(strings.NewReader(c.sent)), "halves": iotest.HalfReader(strings.NewReader(c.sent)),
			} {
				kinds, got, end, err := readCall(t, c.operation, true, c.kind, body, nil)
				if err != nil {
					t.Fatalf("%s: %v", split, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: (-want +got):\n%s", split, diff)
				}
				if diff := cmp.Diff(c.end, end); diff != "" {
					t.Errorf("%s: end (-want +got):\n%s", split, diff)
				}
				if !strings.HasPrefix(kinds, "H") || !strings.HasSuffix(kinds, "L") || strings.Trim(kinds[1:len(kinds)-1], "D") != "" {
					t.Errorf("%s: frames %s, want one head, one last, and data between", split, kinds)
				}
			}
		})
	}
}

func TestAStreamWithoutItsProperEndIsAnError(t *testing.T) {
	const chunk = "data: " + okChat + "\n\n"
	for name, c := range map[string]struct {
		operation, kind, sent string
		class                 Class
		text                  string
	}{
		"ends before the answer":      {"chat", mediaEvents, chunk, ClassReset, "before the answer"},
		"ends with an event's line":   {"chat", mediaEvents, chunk + "data: " + okChat + "\n", ClassReset, "before the answer"},
		"ends with an event":          {"chat", mediaEvents, chunk + "data: " + okChat, ClassReset, "before the answer"},
		"ends with no data":           {"chat", mediaEvents, chunk + "data", ClassReset, "before the answer"},
		"ends without [DONE]":         {"chat", mediaEvents, "data: " + endOfChat + "\n\n", ClassReset, "[DONE]"},
		"ends within an event":        {"chat", mediaEvents, chunk + `data: {"choices":[`, ClassReset, "middle"},
		"ends within a field":         {"chat", mediaEvents, chunk + `da`, ClassReset, "middle"},
		"is empty":                    {"chat", mediaEvents, "", ClassFailed, "empty"},
		"nothing but [DONE]":          {"chat", mediaEvents, "data: [DONE]\n\n", ClassFailed, "without an answer"},
		"no JSON":                     {"chat", mediaEvents, chunk + "data: {\n\n", ClassFailed, "not JSON"},
		"no object":                   {"chat", mediaEvents, chunk + "data: 7\n\n", ClassFailed, "no event of an answer"},
		"no UTF-8":                    {"chat", mediaEvents, chunk + "data: {\"a\":\"\xff\"}\n\n", ClassFailed, "not JSON"},
		"no UTF-8, like one before":   {"chat", mediaEvents, chunk + `data: {"model":"engine","choices":[{"delta":{"content":"` + "\xff" + `"}}]}` + "\n\n", ClassFailed, "not JSON"},
		"no escape, like one before":  {"chat", mediaEvents, chunk + `data: {"model":"engine","choices":[{"delta":{"content":"\x"}}]}` + "\n\n", ClassFailed, "not JSON"},
		"an error":                    {"chat", mediaEvents, chunk + `data: {"error":{"message":"out of memory"}}` + "\n\n", ClassFailed, "out of memory"},
		"an error event":              {"chat", mediaEvents, chunk + "event: error\n" + `data: {"message":"oops"}` + "\n\n", ClassFailed, "oops"},
		"an old error":                {"chat", mediaEvents, `error: {"message":"oops"}` + "\n\n", ClassFailed, "oops"},
		"a page":                      {"chat", "text/html", "<html><body>502 Bad Gateway</body></html>", ClassFailed, "502 Bad Gateway"},
		"a page in the middle":        {"chat", mediaEvents, chunk + "<html>502</html>\n", ClassFailed, "in its middle"},
		"whole JSON":                  {"chat", mediaJSON, `{"choices":[{"message":{"content":"a"}}]}`, ClassFailed, "application/json"},
		"whole JSON with an error":    {"chat", mediaJSON, `{"error":{"message":"no such model"}}`, ClassFailed, "no such model"},
		"lines of JSON":               {"chat", mediaLines, `{}`, ClassFailed, "application/x-ndjson"},
		"an event that is too long":   {"chat", mediaEvents, "data: " + strings.Repeat("x", 1<<20+1), ClassFailed, "larger"},
		"too long in several lines":   {"chat", mediaEvents, strings.Repeat("data: "+strings.Repeat("x", 1<<19)+"\n", 3), ClassFailed, "larger"},
		"completions, no end":         {"completions", mediaEvents, `data: {"choices":[{"text":"a"}]}` + "\n\n", ClassReset, "before the answer"},
		"responses, no end":           {"responses", mediaEvents, `data: {"type":"response.output_text.delta","delta":"a"}` + "\n\n", ClassReset, "before the answer"},
		"responses, [DONE] is no end": {"responses", mediaEvents, `data: {"type":"response.output_text.delta","delta":"a"}` + "\n\ndata: [DONE]\n\n", ClassReset, "before the answer"},
		"responses, failed":           {"responses", mediaEvents, `data: {"type":"response.failed","response":{"error":{"code":"server_error","message":"oops"}}}` + "\n\n", ClassFailed, "oops"},
		"responses, error":            {"responses", mediaEvents, `data: {"type":"error","message":"oops"}` + "\n\n", ClassFailed, "oops"},
		"messages, error by no type":  {"messages", mediaEvents, `data: {"error":{"message":"oops"}}` + "\n\n" + `data: {"type":"message_stop"}` + "\n\n", ClassFailed, "oops"},
		"responses, error by no type": {"responses", mediaEvents, `data: {"error":{"message":"oops"}}` + "\n\n" + `data: {"type":"response.completed","response":{}}` + "\n\n", ClassFailed, "oops"},
		"messages, no end":            {"messages", mediaEvents, `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}` + "\n\n", ClassReset, "without"},
		"messages, error":             {"messages", mediaEvents, "event: error\n" + `data: {"type":"error","error":{"type":"overloaded_error","message":"oops"}}` + "\n\n", ClassBusy, "oops"},
		"events as another type":      {"chat", mediaText, chunk + "data: " + endOfChat + "\n\ndata: [DONE]\n\n", ClassFailed, "with text/plain"},
		"events as a page":            {"messages", "text/html", "data: {\"type\":\"message_stop\"}\n\n", ClassFailed, "with text/html"},
		"events as Ollama's lines":    {"ollama-chat", mediaEvents, `data: {"done":true}` + "\n\n", ClassFailed, "with text/event-stream"},
		"ollama's lines as text":      {"ollama-chat", mediaText, `{"done":true}` + "\n", ClassFailed, "with text/plain"},
		"messages, llama.cpp's error": {"messages", mediaEvents, "event: error\n" + `data: {"code":500,"message":"oops","type":"server_error"}` + "\n\n", ClassFailed, "oops"},
		"ollama, no end":              {"ollama-chat", mediaLines, `{"message":{"content":"a"},"done":false}` + "\n", ClassReset, "before the answer"},
		"ollama, cut":                 {"ollama-chat", mediaLines, `{"message":{"content":"a"},"do`, ClassReset, "middle"},
		"ollama, error":               {"ollama-generate", mediaLines, `{"response":"a","done":false}` + "\n" + `{"error":"oops"}` + "\n", ClassFailed, "oops"},
	} {
		t.Run(name, func(t *testing.T) {
			kinds, _, end, err := readCall(t, c.operation, true, c.kind, strings.NewReader(c.sent), nil)
			got, ok := errors.AsType[*Error](err)
			if !ok || got.Class != c.class || !strings.Contains(got.Message, c.text) {
				t.Errorf("got %v, want %s with %q", err, c.class, c.text)
			}
			if strings.Contains(kinds, "L") {
				t.Errorf("frames %s: a proper end before the error", kinds)
			}
			if want := strings.Count(kinds, "D"); strings.Contains(c.sent, "delta") && end.TokensOut > want {
				t.Errorf("%d tokens in %d events", end.TokensOut, want)
			}
		})
	}
}

func TestALongEventIsCutBetweenRunes(t *testing.T) {
	text := strings.Repeat("世", 50_000)
	sent := `data: {"choices":[{"delta":{"content":"` + text + `"}}]}` + "\n\ndata: " + endOfChat + "\n\ndata: [DONE]\n\n"
	kinds, got, _, err := readCall(t, "chat", true, mediaEvents, strings.NewReader(sent), nil)
	if err != nil || kinds != "HPPDDL" || got != strings.ReplaceAll(sent, "engine", "client") {
		t.Errorf("frames %s of %d bytes, %v, want HPPDDL of %d", kinds, len(got), err, len(sent))
	}
	for _, frames := range [][]byte{[]byte(text), []byte("x" + text), []byte("xx" + text)} {
		if at := piece(frames); at > nodeapi.MaxPieceBytes || at < nodeapi.MaxPieceBytes-4 || !bytes.HasPrefix(frames[at:], []byte("世")) {
			t.Errorf("cut at %d", at)
		}
	}
}
