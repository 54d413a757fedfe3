package httpapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// moments is when an engine fails, and with what.
var moments = map[string]func(out frames, event string){
	"refused": func(out frames, _ string) { // before its first byte, with an answer of its own
		out.value(nodeapi.FrameError, nodeapi.CallError{Code: "ENGINE_REJECTED", Message: "the engine answered 400: too long", Engine: "e", Status: 400,
			ContentType: "application/json", Header: map[string]string{"retry-after": "99999999999"}, Body: []byte(`{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}`)})
	},
	"failed": func(out frames, _ string) { // before its first byte, without
		out.value(nodeapi.FrameError, nodeapi.CallError{Code: "ENGINE_ERROR", Message: "what came is no answer", Engine: "e"})
	},
	"broke": func(out frames, event string) { // after it
		out.head("text/event-stream")
		out.send(nodeapi.FrameData, event)
		out.value(nodeapi.FrameError, nodeapi.CallError{Code: "WORKER_RESET", Message: "the stream broke", Engine: "e", TokensOut: 1})
	},
	"said": func(out frames, event string) { // after it, with a status of the engine's
		out.head("text/event-stream")
		out.send(nodeapi.FrameData, event)
		out.value(nodeapi.FrameError, nodeapi.CallError{Code: "ENGINE_ERROR", Message: "out of memory", Engine: "e", Status: 500, TokensOut: 1,
			Body: []byte(`{"error":{"message":"out of memory","type":"oom_error","code":500}}`)})
	},
}

// told is an error as a client of the protocol reads it.
type told struct {
	status int
	code   string
	words  string
}

// outcomes is what clients are told; at has the error's status in an event.
var outcomes = map[string]told{
	"refused": {400, "context_length_exceeded", "too long"},
	"failed":  {502, "ENGINE_ERROR", "what came is no answer"},
	"broke":   {502, "WORKER_RESET", "the stream broke"},
	"said":    {500, "oom_error", "out of memory"},
}

// callPaths is a route of each kind, the event that its engine begins with, and whether
// it streams.
var callPaths = map[string]struct {
	event   string
	streams bool
}{
	"/v1/chat/completions":      {"data: {\"choices\":[]}\n\n", true},
	"/v1/completions":           {"data: {\"choices\":[]}\n\n", true},
	"/v1/responses":             {"event: response.created\ndata: {\"type\":\"response.created\"}\n\n", true},
	"/v1/messages":              {"event: message_start\ndata: {\"type\":\"message_start\"}\n\n", true},
	"/api/chat":                 {"{\"message\":{}}\n", true},
	"/api/generate":             {"{\"response\":\"a\"}\n", true},
	"/v1/messages/count_tokens": {"{", false},
	"/v1/embeddings":            {"{", false},
	"/v1/rerank":                {"{", false},
	"/api/embed":                {"{", false},
	"/api/embeddings":           {"{", false},
	"/api/show":                 {"{", false},
}

// errorOf reads an error in the shape of a route, or fails the test.
func errorOf(t *testing.T, path string, text []byte, event bool) told {
	t.Helper()
	var body struct {
		Type         string          `json:"type"`
		Code         string          `json:"code"`
		Message      string          `json:"message"`
		EngineCode   string          `json:"engine_code"`
		EngineStatus int             `json:"engine_status"`
		Error        json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("%s: %q: %v", path, text, err)
	}
	type sdk struct {
		Message, Type, Code string
		EngineCode          string `json:"engine_code"`
		EngineStatus        int    `json:"engine_status"`
	}
	var nested sdk
	var words string
	switch {
	case json.Unmarshal(body.Error, &words) == nil: // Ollama's
		return told{body.EngineStatus, body.Code + " " + body.EngineCode, words}
	case path == "/v1/responses" && event:
		return told{body.EngineStatus, body.Code, body.Message}
	case json.Unmarshal(body.Error, &nested) != nil || nested.Type == "":
		t.Fatalf("%s: got %s, want the member error", path, text)
	case strings.HasPrefix(path, "/v1/messages") && body.Type == "error":
		return told{nested.EngineStatus, nested.Code + " " + nested.EngineCode, nested.Message}
	}
	return told{body.EngineStatus, nested.Code, nested.Message}
}

// wants checks what was told; status 0 is that of a plain answer.
func (got told) wants(t *testing.T, want told, status int) {
	t.Helper()
	if got.status != status || !strings.Contains(got.code, want.code) || !strings.Contains(got.words, want.words) {
		t.Errorf("got %+v, want %+v, engine_status %d", got, want, status)
	}
}

// callMoments serves an engine that fails as the body's member moment says, once goOn
// allows it.
func callMoments(t *testing.T, commit time.Duration, goOn <-chan struct{}) *served {
	s := serve(t, Options{Streams: Streams{Commit: commit, Heartbeat: time.Minute}})
	s.engine("n", 1, func(out frames, r *http.Request, body string) {
		var said struct{ Moment, Event string }
		if err := json.Unmarshal([]byte(body), &said); err != nil {
			t.Error(err)
		}
		if goOn != nil && r.URL.Query().Get("stream") == "true" {
			select {
			case <-goOn:
			case <-r.Context().Done():
			}
		}
		moments[said.Moment](out, said.Event)
	})
	return s
}

func momentBody(t *testing.T, moment, event string, stream bool) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"model": "demo", "moment": moment, "event": event, "stream": stream})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestErrorsByProtocolAndMoment is the table of clients.md: until the status is decided
// an error is a plain answer with its own status; later it is the protocol's event, and
// there is no proper end. What does not stream always waits.
func TestErrorsByProtocolAndMoment(t *testing.T) {
	goOn := make(chan struct{})
	early, late := callMoments(t, within, nil), callMoments(t, time.Millisecond, goOn)
	for path, c := range callPaths {
		for moment, want := range outcomes {
			for name, s := range map[string]*served{"early": early, "late": late} {
				t.Run(path+" "+moment+" whole, "+name, func(t *testing.T) {
					res := s.send(t.Context(), "POST", path, momentBody(t, moment, c.event, false))
					text, err := io.ReadAll(res.Body)
					if err != nil || res.StatusCode != want.status {
						t.Fatalf("got %d %s, %v, want %d", res.StatusCode, text, err, want.status)
					}
					errorOf(t, path, text, false).wants(t, want, 0)
				})
			}
			if !c.streams {
				continue
			}
			t.Run(path+" "+moment+" streamed, before the status", func(t *testing.T) {
				res := early.send(t.Context(), "POST", path, momentBody(t, moment, c.event, true))
				if (moment == "broke" || moment == "said") && res.StatusCode == 200 { // else the error came with the first event
					streamEndsWith(t, res, path, c.event, want)
					return
				}
				text, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != want.status {
					t.Fatalf("got %d %s, %v, want %d", res.StatusCode, text, err, want.status)
				}
				errorOf(t, path, text, false).wants(t, want, 0)
				if got := res.Header.Get("Retry-After"); moment == "refused" && got != "86400" {
					t.Errorf("Retry-After is %q, want a day", got)
				}
			})
			t.Run(path+" "+moment+" streamed, after the status", func(t *testing.T) {
				res := late.send(t.Context(), "POST", path, momentBody(t, moment, c.event, true))
				goOn <- struct{}{}
				before := ""
				if moment == "broke" || moment == "said" {
					before = c.event
				}
				streamEndsWith(t, res, path, before, want)
			})
		}
	}
}

// streamEndsWith reads a stream: what keeps it alive, the event that came, and the error.
func streamEndsWith(t *testing.T, res *http.Response, path, event string, want told) {
	t.Helper()
	text, err := io.ReadAll(bufio.NewReader(res.Body))
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("got %d %s, %v, want 200 and an event", res.StatusCode, text, err)
	}
	for _, alive := range []string{": alive\n", "event: ping\ndata: {\"type\":\"ping\"}\n\n"} {
		text = bytes.TrimPrefix(text, []byte(alive))
	}
	rest, ok := bytes.CutPrefix(text, []byte(event))
	if !ok {
		t.Fatalf("got %q, want it to begin with %q", text, event)
	}
	switch {
	case strings.HasPrefix(path, "/api/"):
		rest, ok = bytes.CutSuffix(rest, []byte("\n"))
	case path == "/v1/messages" || path == "/v1/responses":
		rest, ok = bytes.CutPrefix(bytes.TrimSuffix(rest, []byte("\n\n")), []byte("event: error\ndata: "))
	default:
		rest, ok = bytes.CutPrefix(bytes.TrimSuffix(rest, []byte("\n\n")), []byte("data: "))
	}
	if !ok || bytes.Contains(rest, []byte("\n")) {
		t.Fatalf("got %q, want one error event and nothing after it", rest)
	}
	errorOf(t, path, rest, true).wants(t, want, want.status)
}
