package adapter

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
)

// TestAnErrorInAnAnswerKeepsItsStatus: engines that have sent 200 tell of an error in an
// event, or in place of the answer. Where they name its status, it is an answer with it.
func TestAnErrorInAnAnswerKeepsItsStatus(t *testing.T) {
	for name, c := range map[string]struct {
		operation, document string
		class               Class
		status              int
		body                string // "": the document
	}{
		"a figure":                {"chat", `{"error":{"message":"oops","type":"BadRequestError","param":null,"code":400}}`, ClassRejected, 400, ""},
		"a figure as text":        {"chat", `{"error":{"message":"oops","code":"404"}}`, ClassRejected, 404, ""},
		"a figure beside":         {"completions", `{"object":"error","message":"oops","type":"NotFoundError","code":404}`, ClassRejected, 404, `{"error":{"object":"error","message":"oops","type":"NotFoundError","code":404}}`},
		"its type":                {"chat", `{"error":{"message":"oops","type":"exceed_context_size_error","n_ctx":8}}`, ClassRejected, 400, ""},
		"its code":                {"responses", `{"type":"error","code":"rate_limit_exceeded","message":"oops"}`, ClassBusy, 429, `{"error":{"type":"error","code":"rate_limit_exceeded","message":"oops"}}`},
		"a response that failed":  {"responses", `{"type":"response.failed","response":{"error":{"code":"server_error","message":"oops"}}}`, ClassFailed, 500, `{"error":{"code":"server_error","message":"oops"}}`},
		"a message's":             {"messages", `{"type":"error","error":{"type":"overloaded_error","message":"oops"}}`, ClassBusy, 529, ""},
		"another message's":       {"messages", `{"type":"error","error":{"type":"invalid_request_error","message":"oops"}}`, ClassRejected, 400, ""},
		"Ollama's":                {"ollama-chat", `{"error":"oops","status":404}`, ClassRejected, 404, ""},
		"a key that was refused":  {"chat", `{"error":{"message":"oops","code":401}}`, ClassRefused, 502, "none"},
		"nothing named":           {"chat", `{"error":{"message":"oops","type":"odd","code":7}}`, ClassFailed, 0, "none"},
		"a status of success":     {"chat", `{"error":{"message":"oops","code":200}}`, ClassFailed, 0, "none"},
		"a body that is too long": {"chat", `{"error":{"message":"` + strings.Repeat("oops ", 20_000) + `","code":400}}`, ClassRejected, 400, "none"},
	} {
		sent, kind := "data: "+c.document+"\n\n", mediaEvents
		if c.operation == "ollama-chat" {
			sent, kind = c.document+"\n", mediaLines
		}
		_, _, _, err := readCall(t, c.operation, true, kind, strings.NewReader(sent), nil)
		check := func(moment string, err error) {
			t.Helper()
			got, ok := errors.AsType[*Error](err)
			switch {
			case !ok || got.Class != c.class || c.class != ClassRefused && !strings.Contains(got.Message, "oops"):
				t.Errorf("%s, %s: got %v, want %s", name, moment, err, c.class)
			case (got.Response == nil) != (c.status == 0):
				t.Errorf("%s, %s: got %+v, want status %d", name, moment, got.Response, c.status)
			case got.Response == nil:
			case c.body == "none" && len(got.Response.Body) > 0, got.Response.Status != c.status:
				t.Errorf("%s, %s: got %d %s, want %d and no body", name, moment, got.Response.Status, got.Response.Body, c.status)
			case c.body == "" && string(got.Response.Body) != c.document, c.body != "" && c.body != "none" && string(got.Response.Body) != c.body:
				t.Errorf("%s, %s: got %s", name, moment, got.Response.Body)
			}
		}
		check("streamed", err)
		if strings.Contains(c.document, "response.failed") || strings.Contains(c.document, `"type":"error","code"`) {
			continue // is an event only
		}
		_, _, _, err = readCall(t, c.operation, false, mediaJSON, strings.NewReader(c.document), nil)
		check("whole", err)
		_, _, _, err = readCall(t, c.operation, true, mediaJSON, strings.NewReader(c.document), nil)
		check("whole in place of a stream", err)
	}
}

func TestAnErrorInAnAnswerHasNoKey(t *testing.T) {
	const key = "engine-key-0123456789-abcdefghij"
	_, _, _, err := readCall(t, "chat", true, mediaEvents, strings.NewReader(`data: {"error":{"message":"for `+key+`","code":400}}`+"\n\n"), func(r *callReader) {
		r.target.Key = authmin.NewSecret(key)
	})
	got, ok := errors.AsType[*Error](err)
	if !ok || got.Response == nil || strings.Contains(string(got.Response.Body)+got.Message, key) {
		t.Errorf("got %v", err)
	}
}

func TestARetryAfterIsBounded(t *testing.T) {
	for sent, want := range map[string]string{
		"7": "7", "99999999999999999999": "86400", "-1": "", "soon": "", "0": "0",
		time.Now().Add(1000 * time.Hour).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"): "86400",
		"Mon, 02 Jan 2006 15:04:05 GMT": "Mon, 02 Jan 2006 15:04:05 GMT",
	} {
		got := Target{}.answerHeader(map[string][]string{"Retry-After": {sent}})["Retry-After"]
		if got != want {
			t.Errorf("%q: got %q, want %q", sent, got, want)
		}
	}
}

// TestAResponseThatFailsLaterHasItsOwnEnd: a client of the API waits for response.failed,
// which has the response's id and output. The record says failed all the same.
func TestAResponseThatFailsLaterHasItsOwnEnd(t *testing.T) {
	body := `data: {"type":"response.output_text.delta","delta":"a"}` + "\n\n" +
		`data: {"type":"response.failed","response":{"id":"r1","error":{"code":"server_error","message":"oops"}}}` + "\n\n"
	_, data, end, err := readCall(t, "responses", true, mediaEvents, strings.NewReader(body), nil)
	if err != nil || data != body || end.Succeeded || end.FinishReason != "failed" || end.ResponseID != "r1" {
		t.Errorf("got %q, %+v, %v, want all of it and the end of a failure", data, end, err)
	}
}
