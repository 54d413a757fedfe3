package adapter_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	chatPiece  = `data: {"choices":[{"delta":{"content":"a"}}]}` + "\n\n"
	chatFinish = `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	done       = "data: [DONE]\n\n"
)

// answerOf runs a task of the dialect against an engine that answers so.
func answerOf(t *testing.T, d adapter.Dialect, task nodeapi.DispatchRequest, answer http.HandlerFunc) (int, adapter.Result, error) {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	pieces := 0
	target := adapter.Target{Base: server.URL, Key: authmin.NewSecret("engine-key-0123456789-abcdefghij"), Model: "m"}
	result, err := d.Run(t.Context(), server.Client(), target, task, func(nodeapi.Event) error { pieces++; return nil })
	return pieces, result, err
}

func answering(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		io.WriteString(w, body)
	}
}

func TestAnAnswerThatIsNoEventStreamFailsWithItsTextAndContentType(t *testing.T) {
	chat, prompt := nodeapi.DispatchRequest{Messages: messages}, nodeapi.DispatchRequest{Prompt: "x"}
	const stream, object, page = "text/event-stream", "application/json", "text/html; charset=utf-8"
	for name, c := range map[string]struct {
		dialect    adapter.Dialect
		task       nodeapi.DispatchRequest
		kind, body string
		want       []string
	}{
		"a whole chat":              {adapter.OpenAI, chat, object, `{"id":"1","object":"chat.completion","choices":[{"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}`, []string{object, "hello"}},
		"a whole chat, printed":     {adapter.OpenAI, chat, object, "{\n  \"choices\": [\n {\"message\": {\"content\": \"hello\"}}]\n}\n", []string{object, "hello"}},
		"a whole text":              {adapter.OpenAI, prompt, object, `{"choices":[{"text":"hello","finish_reason":"stop"}]}`, []string{object, "hello"}},
		"a whole llama.cpp answer":  {adapter.LlamaCPP, prompt, object, `{"content":"hello","stop":true}`, []string{object, "hello"}},
		"Ollama's lines":            {adapter.OpenAI, chat, "application/x-ndjson", `{"message":{"content":"hello"},"done":false}` + "\n" + `{"done":true}` + "\n", []string{"application/x-ndjson", "hello"}},
		"an error object":           {adapter.OpenAI, chat, object, `{"error":{"message":"no such adapter","type":"x"}}`, []string{object, "no such adapter"}},
		"an error text":             {adapter.OpenAI, chat, object, `{"error":"model is broken"}`, []string{object, "model is broken"}},
		"an older vLLM's error":     {adapter.OpenAI, chat, object, `{"object":"error","message":"too many of them","code":400}`, []string{"too many of them"}},
		"FastAPI's error":           {adapter.OpenAI, chat, object, `{"detail":"Not Found"}`, []string{"Not Found"}},
		"a page":                    {adapter.OpenAI, chat, page, "<!DOCTYPE html><html><head><style>p {color: red}</style><title>Sign in</title></head><body><p>Please sign in.</p></body></html>", []string{"text/html", "Please sign in."}},
		"a page named as a stream":  {adapter.OpenAI, chat, stream, "<html><body>Bad Gateway</body></html>", []string{"Bad Gateway", stream}},
		"plain text":                {adapter.LlamaCPP, prompt, "text/plain", "upstream connect error", []string{"text/plain", "upstream connect error"}},
		"a page in the middle":      {adapter.OpenAI, chat, stream, chatPiece + "<html><body>Bad Gateway</body></html>\n" + chatPiece + chatFinish + done, []string{"middle", "Bad Gateway"}},
		"a page at the end":         {adapter.OpenAI, chat, stream, chatPiece + "<html><body>Bad Gateway</body></html>", []string{"middle", "Bad Gateway"}},
		"bare JSON in the middle":   {adapter.OpenAI, chat, stream, chatPiece + `{"error":{"message":"out of blocks"}}` + "\n" + chatFinish + done, []string{"out of blocks"}},
		"a page as data":            {adapter.OpenAI, chat, stream, chatPiece + "data: <html>Bad Gateway</html>\n\n" + chatFinish + done, []string{"not JSON", "Bad Gateway"}},
		"broken JSON":               {adapter.OpenAI, chat, stream, chatPiece + `data: {"choices":[{"delta":{"content":"b"` + "\n\n" + chatFinish + done, []string{"not JSON"}},
		"broken JSON, llama.cpp":    {adapter.LlamaCPP, prompt, stream, `data: {"content":"a"}` + "\n\n" + `data: {"content":` + "\n\n" + `data: {"content":"","stop":true}` + "\n\n", []string{"not JSON"}},
		"null":                      {adapter.OpenAI, chat, stream, chatPiece + "data: null\n\n" + chatFinish + done, []string{"no event of an answer"}},
		"a number":                  {adapter.OpenAI, chat, stream, chatPiece + "data: 7\n\n" + chatFinish + done, []string{"no event of an answer"}},
		"a list":                    {adapter.OpenAI, chat, stream, chatPiece + "data: []\n\n" + chatFinish + done, []string{"no event of an answer"}},
		"another object":            {adapter.OpenAI, chat, stream, chatPiece + `data: {"status":"busy"}` + "\n\n" + chatFinish + done, []string{"busy"}},
		"another object, llama.cpp": {adapter.LlamaCPP, prompt, stream, `data: {"status":"busy"}` + "\n\n" + `data: {"content":"","stop":true}` + "\n\n", []string{"busy"}},
		"a whole chat as an event":  {adapter.OpenAI, chat, stream, `data: {"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}` + "\n\n" + done, []string{"no event of an answer", "hello"}},
		"an error event":            {adapter.OpenAI, chat, stream, chatPiece + `data: {"error":{"message":"out of blocks"}}` + "\n\n" + done, []string{"out of blocks"}},
		"TGI's error event":         {adapter.OpenAI, chat, stream, chatPiece + `data: {"error":"Request failed during generation","error_type":"generation"}` + "\n\n", []string{"failed during generation"}},
		"a named error event":       {adapter.OpenAI, chat, stream, chatPiece + "event: error\ndata: out of blocks\n\n" + chatFinish + done, []string{"out of blocks"}},
		"Triton's error event":      {adapter.OpenAI, chat, stream, chatPiece + `data: {"object":"error","message":"out of blocks"}` + "\n\n" + done, []string{"out of blocks"}},
		"Triton's, with choices":    {adapter.OpenAI, chat, stream, chatPiece + `data: {"object":"error","message":"out of blocks","choices":[]}` + "\n\n" + chatFinish + done, []string{"out of blocks"}},
		"llama.cpp's, with content": {adapter.LlamaCPP, prompt, stream, `data: {"object":"error","message":"out of blocks","content":""}` + "\n\n" + `data: {"content":"","stop":true}` + "\n\n", []string{"out of blocks"}},
		"an error inside a choice":  {adapter.OpenAI, chat, stream, chatPiece + `data: {"choices":[{"error":{"message":"out of blocks"},"delta":{}}]}` + "\n\n" + chatFinish + done, []string{"out of blocks"}},
		"the text route's text":     {adapter.OpenAI, chat, stream, chatPiece + `data: {"choices":[{"text":"hello"}]}` + "\n\n" + chatFinish + done, []string{"no event of an answer", "hello"}},
		"a chat's text":             {adapter.OpenAI, prompt, stream, chatPiece + `data: {"choices":[{"text":"","finish_reason":"stop"}]}` + "\n\n" + done, []string{"no event of an answer"}},
		"a refusal":                 {adapter.OpenAI, chat, stream, `data: {"choices":[{"delta":{"refusal":"I will not"}}]}` + "\n\n" + chatFinish + done, []string{"I will not"}},
		"nothing, as a page":        {adapter.OpenAI, chat, page, "", []string{"text/html", "empty"}},
		"comments, as JSON":         {adapter.LlamaCPP, prompt, object, ": alive\n\n", []string{object, "empty"}},
		"[DONE] alone":              {adapter.OpenAI, chat, stream, ": alive\n\n" + done, []string{"[DONE]"}},
		"[DONE] after the role":     {adapter.OpenAI, chat, stream, `data: {"choices":[{"delta":{"role":"assistant","content":""}}]}` + "\n\n" + done, []string{"[DONE]"}},
		"[DONE] for llama.cpp":      {adapter.LlamaCPP, prompt, stream, `data: {"content":"a"}` + "\n\n" + done, []string{"[DONE]"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := answerOf(t, c.dialect, c.task, answering(c.kind, c.body))
			var got *adapter.Error
			if !errors.As(err, &got) || got.Class != adapter.ClassFailed {
				t.Fatalf("got %v, want %s", err, adapter.ClassFailed)
			}
			for _, want := range c.want {
				if !strings.Contains(got.Message, want) {
					t.Errorf("got %q, want %q in it", got.Message, want)
				}
			}
		})
	}
}

func TestAStreamWithoutItsProperEndIsBroken(t *testing.T) {
	for name, c := range map[string]struct {
		dialect adapter.Dialect
		task    nodeapi.DispatchRequest
		body    string
	}{
		"nothing":                     {adapter.OpenAI, nodeapi.DispatchRequest{Messages: messages}, ""},
		"comments":                    {adapter.OpenAI, nodeapi.DispatchRequest{Messages: messages}, ": alive\n\n: alive\n\n"},
		"a piece":                     {adapter.OpenAI, nodeapi.DispatchRequest{Messages: messages}, chatPiece},
		"a finish_reason, no [DONE]":  {adapter.OpenAI, nodeapi.DispatchRequest{Messages: messages}, chatPiece + chatFinish},
		"usage, no [DONE]":            {adapter.OpenAI, nodeapi.DispatchRequest{Messages: messages}, chatPiece + chatFinish + `data: {"choices":[],"usage":{"completion_tokens":1}}` + "\n\n"},
		"half of [DONE]":              {adapter.OpenAI, nodeapi.DispatchRequest{Messages: messages}, chatPiece + chatFinish + "data: [DO"},
		"half an event":               {adapter.OpenAI, nodeapi.DispatchRequest{Messages: messages}, chatPiece + `data: {"choices":[{"del`},
		"half a field's name":         {adapter.OpenAI, nodeapi.DispatchRequest{Messages: messages}, chatPiece + "dat"},
		"llama.cpp without its stop":  {adapter.LlamaCPP, nodeapi.DispatchRequest{Prompt: "x"}, `data: {"content":"a","stop":false}` + "\n\n"},
		"llama.cpp with half an end":  {adapter.LlamaCPP, nodeapi.DispatchRequest{Prompt: "x"}, `data: {"content":"a"}` + "\n\n" + `data: {"content":"","stop":tr`},
		"the text route, no [DONE]":   {adapter.OpenAI, nodeapi.DispatchRequest{Prompt: "x"}, `data: {"choices":[{"text":"b","finish_reason":"stop"}]}` + "\n\n"},
		"an end that is in a comment": {adapter.OpenAI, nodeapi.DispatchRequest{Messages: messages}, chatPiece + chatFinish + ": data: [DONE]\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := answerOf(t, c.dialect, c.task, answering("text/event-stream", c.body))
			var got *adapter.Error
			if !errors.As(err, &got) || got.Class != adapter.ClassReset {
				t.Errorf("got %v, want %s", err, adapter.ClassReset)
			}
		})
	}
}

func TestAnInvalidBatchFailsWithTheEnginesText(t *testing.T) {
	for name, c := range map[string]struct{ kind, body, want string }{
		"a page":                         {"text/html", "<html><body>Bad Gateway</body></html>", "Bad Gateway"},
		"an error object":                {"application/json", `{"error":{"message":"out of blocks"}}`, "out of blocks"},
		"another object":                 {"application/json", `{"detail":"Not Found"}`, "Not Found"},
		"an error beside a whole answer": {"application/json", `{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}],"error":{"message":"out of blocks"}}`, "out of blocks"},
	} {
		_, _, err := answerOf(t, adapter.OpenAI, embed, answering(c.kind, c.body))
		var got *adapter.Error
		if !errors.As(err, &got) || got.Class != adapter.ClassFailed || !strings.Contains(got.Message, c.want) || !strings.Contains(got.Message, c.kind) {
			t.Errorf("%s: got %v, want %s with %q and %q", name, err, adapter.ClassFailed, c.want, c.kind)
		}
	}
}
