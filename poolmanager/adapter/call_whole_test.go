package adapter

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestAWholeAnswerPassesWithItsFigures(t *testing.T) {
	for name, c := range map[string]struct {
		operation, body string
		end             nodeapi.CallEnd
	}{
		"chat": {"chat", `{"id":"c","model":"engine","choices":[{"finish_reason":"stop"},{"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`,
			nodeapi.CallEnd{TokensIn: 1, TokensOut: 2, FinishReason: "length", Succeeded: true}},
		"chat of SGLang": {"chat", `{"model":"engine","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":9,"prompt_tokens_details":null,"reasoning_tokens":5}}`,
			nodeapi.CallEnd{TokensIn: 1, TokensOut: 9, ReasoningOut: 5, FinishReason: "stop", Succeeded: true}},
		"chat that failed": {"chat", `{"model":"engine","choices":[{"finish_reason":"error"},{"finish_reason":"stop"}],"error":null}`,
			nodeapi.CallEnd{FinishReason: "error"}},
		"figures that cannot be": {"chat", `{"model":"engine","choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":1e300,"total_tokens":"7"}}`,
			nodeapi.CallEnd{Succeeded: true}},
		"usage of another kind": {"chat", `{"model":"engine","usage":[1]}`, nodeapi.CallEnd{Succeeded: true}},
		"response": {"responses", `{"object":"response","id":"resp_1","model":"engine","error":null,"status":"completed","usage":{"input_tokens":3,"output_tokens":4}}`,
			nodeapi.CallEnd{TokensIn: 3, TokensOut: 4, FinishReason: "completed", Succeeded: true, ResponseID: "resp_1"}},
		"response, not stored": {"responses", `{"object":"response","id":"resp_1","status":"completed","store":false}`, nodeapi.CallEnd{FinishReason: "completed", Succeeded: true}},
		"response, stored":     {"responses", `{"object":"response","id":"resp_1","status":"completed","store":true}`, nodeapi.CallEnd{FinishReason: "completed", Succeeded: true, ResponseID: "resp_1"}},
		"response that failed": {"responses", `{"object":"response","id":"resp_1","model":"engine","status":"failed","error":{"message":"x"}}`,
			nodeapi.CallEnd{FinishReason: "failed", ResponseID: "resp_1"}},
		"a response with a path as id": {"responses", `{"object":"response","id":"../x","status":"completed"}`, nodeapi.CallEnd{FinishReason: "completed", Succeeded: true}},
		"response, deleted":            {"responses-delete", `{"object":"response","id":"resp_1","deleted":true}`, nodeapi.CallEnd{Succeeded: true}},
		"message": {"messages", `{"type":"message","model":"engine","stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":5,"cache_creation_input_tokens":6}}`,
			nodeapi.CallEnd{TokensIn: 14, TokensOut: 4, CachedIn: 5, FinishReason: "end_turn", Succeeded: true}},
		"counted input":  {"responses-input-tokens", `{"object":"response.input_tokens","input_tokens":12}`, nodeapi.CallEnd{TokensIn: 12, Succeeded: true}},
		"compacted":      {"responses-compact", `{"id":"cmp_1","object":"response.compaction","output":[],"usage":{"input_tokens":12,"output_tokens":5}}`, nodeapi.CallEnd{TokensIn: 12, TokensOut: 5, Succeeded: true}},
		"counted tokens": {"messages-count-tokens", `{"input_tokens":12}`, nodeapi.CallEnd{TokensIn: 12, Succeeded: true}},
		"embeddings":     {"embeddings", `{"model":"engine","data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}`, nodeapi.CallEnd{TokensIn: 8, Succeeded: true}},
		"rerank":         {"rerank", `{"model":"engine","results":[],"usage":{"total_tokens":8}}`, nodeapi.CallEnd{TokensIn: 8, Succeeded: true}},
		"a list":         {"rerank", `[{"index":0,"score":1}]`, nodeapi.CallEnd{Succeeded: true}},
		"ollama": {"ollama-generate", `{"model":"engine","response":"a","done":true,"done_reason":"stop","prompt_eval_count":2,"eval_count":3}`,
			nodeapi.CallEnd{TokensIn: 2, TokensOut: 3, FinishReason: "stop", Succeeded: true}},
		"ollama, shown": {"ollama-show", `{"details":{"family":"llama"}}`, nodeapi.CallEnd{Succeeded: true}},
	} {
		t.Run(name, func(t *testing.T) {
			kinds, got, end, err := readCall(t, c.operation, false, mediaJSON, strings.NewReader(c.body), nil)
			want := strings.ReplaceAll(c.body, `"engine"`, `"client"`)
			if err != nil || kinds != "HD" || got != want {
				t.Errorf("frames %s, %v; got\n%s\nwant\n%s", kinds, err, got, want)
			}
			c.end.Bytes = int64(len(want))
			if diff := cmp.Diff(c.end, end); diff != "" {
				t.Errorf("end (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWholeAnswerThatIsNoneIsAnError(t *testing.T) {
	for name, c := range map[string]struct{ operation, kind, body, text string }{
		"cut":              {"chat", mediaJSON, `{"choices":[`, "not JSON"},
		"nothing":          {"chat", mediaJSON, "", "empty"},
		"white space":      {"messages", mediaJSON, " \n", "empty"},
		"nothing, as text": {"ollama-chat", mediaText, "", "empty"},
		"an error":         {"chat", mediaJSON, `{"error":{"message":"oops"}}`, "oops"},
		"an old error":     {"chat", mediaJSON, `{"object":"error","message":"oops"}`, "oops"},
		"a message's":      {"messages", mediaJSON, `{"type":"error","error":{"message":"oops"}}`, "oops"},
		"a response's":     {"responses", mediaJSON, `{"error":{"message":"oops"}}`, "oops"},
		"ollama's":         {"ollama-chat", mediaJSON, `{"error":"oops"}`, "oops"},
		"events":           {"chat", mediaEvents, "data: {}\n\n", "events"},
		"too large":        {"chat", mediaJSON, `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, "larger"},
		"no UTF-8":         {"chat", mediaJSON, "{\"a\":\"\xff\"}", "not UTF-8"},
		"text, not UTF-8":  {"embeddings", mediaText, "\xff", "not UTF-8"},
		"a page":           {"chat", "text/html; charset=utf-8", "<html><body>Welcome</body></html>", "(text/html) is not JSON: Welcome"},
		"a page of text":   {"messages", mediaText, "Welcome", "(text/plain) is not JSON: Welcome"},
		"no answer at all": {"responses", "", "Welcome", "not JSON"},
		"a page of others": {"embeddings", "text/html", "<p>Welcome", "not JSON"},
		"JSON without its": {"chat", "", `{"error":{"message":"oops"}}`, "oops"},
	} {
		kinds, _, _, err := readCall(t, c.operation, false, c.kind, strings.NewReader(c.body), nil)
		got, ok := errors.AsType[*Error](err)
		if !ok || got.Class != ClassFailed || !strings.Contains(got.Message, c.text) || strings.Trim(kinds, "HD") != "" || len(c.body) < maxWhole && kinds != "" {
			t.Errorf("%s: frames %s, got %v, want %q", name, kinds, err, c.text)
		}
	}
}

func TestALargeAnswerComesInPieces(t *testing.T) {
	body := `{"model":"engine","data":"` + strings.Repeat("世", 50_000) + `"}`
	kinds, got, end, err := readCall(t, "embeddings", false, mediaJSON, strings.NewReader(body), nil)
	if want := strings.ReplaceAll(body, "engine", "client"); err != nil || kinds != "HDDD" || got != want || end.Bytes != int64(len(want)) {
		t.Errorf("frames %s, %d bytes, %v", kinds, len(got), err)
	}
}

func TestALargeAnswerIsSentWhileItComes(t *testing.T) {
	numbers := `"data":[` + strings.Repeat("0.25,", 120_000) + `1]`
	for name, c := range map[string]struct {
		operation, body string
		end             nodeapi.CallEnd
	}{
		"the model first": {"embeddings", `{"model":"engine",` + numbers + `,"usage":{"prompt_tokens":3}}`, nodeapi.CallEnd{TokensIn: 3, Succeeded: true}},
		"the model last":  {"embeddings", `{` + numbers + `,"usage":{"prompt_tokens":3},"model" : "engine" } ` + "\n", nodeapi.CallEnd{TokensIn: 3, Succeeded: true}},
		"a chat": {"chat", `{"choices":[{"message":{"content":"` + strings.Repeat("世界", 100_000) + `"},"finish_reason":"length"}],"model":"engine","usage":{"completion_tokens":7}}`,
			nodeapi.CallEnd{TokensOut: 7, FinishReason: "length", Succeeded: true}},
		"a chat that failed": {"chat", `{"choices":[{"finish_reason":"abort"}],` + numbers + `}`, nodeapi.CallEnd{FinishReason: "abort"}},
		"a response":         {"responses", `{"object":"response","id":"resp_1",` + numbers + `,"status":"completed","error":null}`, nodeapi.CallEnd{FinishReason: "completed", Succeeded: true, ResponseID: "resp_1"}},
		"one not stored":     {"responses", `{"object":"response","id":"resp_1",` + numbers + `,"status":"completed","store":false}`, nodeapi.CallEnd{FinishReason: "completed", Succeeded: true}},
		"Ollama's":           {"ollama-embed", `{"model":"engine",` + numbers + `,"prompt_eval_count":5}`, nodeapi.CallEnd{TokensIn: 5, Succeeded: true}},
		"a list":             {"rerank", `[{` + numbers + `}]`, nodeapi.CallEnd{Succeeded: true}},
	} {
		t.Run(name, func(t *testing.T) {
			want := strings.ReplaceAll(c.body, `"engine"`, `"client"`)
			c.end.Bytes = int64(len(want))
			for split, body := range map[string]io.Reader{"whole": strings.NewReader(c.body), "halves": iotest.HalfReader(strings.NewReader(c.body)), "odd": &oddReader{strings.NewReader(c.body)}} {
				most := 0
				kinds, got, end, err := readCall(t, c.operation, false, mediaJSON, body, func(r *callReader) {
					emit := r.emit
					r.emit = func(p []byte, progress bool) error { most = max(most, len(p)); return emit(p, progress) }
				})
				if err != nil || got != want || strings.Trim(kinds, "D") != "H" {
					t.Errorf("%s: frames %s, %d bytes, %v, want %d", split, kinds, len(got), err, len(want))
				}
				if diff := cmp.Diff(c.end, end); diff != "" {
					t.Errorf("%s: end (-want +got):\n%s", split, diff)
				}
				if most > nodeapi.MaxFrameBytes {
					t.Errorf("%s: %d bytes in one write", split, most)
				}
			}
		})
	}
}

// oddReader gives a few bytes at a time.
type oddReader struct{ r io.Reader }

func (o *oddReader) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1013)]) }

func TestALargeAnswerThatIsNoneIsAnErrorAfterItsBeginning(t *testing.T) {
	numbers := `"data":[` + strings.Repeat("0.25,", 100_000) + `1]`
	for name, c := range map[string]struct {
		body, text string
		class      Class
	}{
		"cut":      {`{` + numbers, "ends early", ClassReset},
		"no JSON":  {`{` + numbers + `,]`, "not JSON", ClassFailed},
		"an error": {`{` + numbers + `,"error":{"message":"oops"}}`, "oops", ClassFailed},
		"no UTF-8": {`{` + numbers + ",\"a\":\"\xff\"}", "not JSON", ClassFailed},
	} {
		kinds, _, _, err := readCall(t, "embeddings", false, mediaJSON, strings.NewReader(c.body), nil)
		got, ok := errors.AsType[*Error](err)
		if !ok || got.Class != c.class || !strings.Contains(got.Message, c.text) || got.Response != nil || !strings.HasPrefix(kinds, "HD") {
			t.Errorf("%s: frames %s, got %v, want %s with %q", name, kinds, err, c.class, c.text)
		}
	}
}
