package httpapi

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestANodeSetsNoOtherHeader than an engine may, and no type that a browser runs: neither in
// the answer, nor in the events of which it is made.
func TestANodeSetsNoOtherHeader(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		out.value(nodeapi.FrameHead, nodeapi.CallHead{Status: 200, ContentType: "text/html", Header: map[string]string{
			"Openai-Version": "1", "Set-Cookie": "a=b", "X-Auth-Identity": "root", "Access-Control-Allow-Origin": "*",
			"Anthropic-Note": "a\nSet-Cookie: b", "Openai-Long": strings.Repeat("x", 2000),
		}})
		out.send(nodeapi.FrameLast, `{"ok":true}`)
		out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true})
	})
	res := s.send(t.Context(), "POST", "/v1/chat/completions", `{"model":"demo"}`)
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || string(text) != `{"ok":true}` {
		t.Fatalf("got %d %s, %v", res.StatusCode, text, err)
	}
	for name, want := range map[string]string{
		"Openai-Version": "1", "Set-Cookie": "", "X-Auth-Identity": "", "Access-Control-Allow-Origin": "", "Anthropic-Note": "", "Openai-Long": "",
		"Content-Type": "application/octet-stream", "Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	reader, err := s.o.Follow(orchestrator.Who{Admin: true}, res.Header.Get("X-Task-Id"), 0)
	if err != nil {
		t.Fatal(err)
	}
	for {
		events, err := reader.Next(t.Context())
		if err != nil {
			t.Fatalf("reading the events: %v", err)
		}
		for _, ev := range events {
			if ev.Type != orchestrator.EventAnswer {
				continue
			}
			for _, bad := range []string{"Set-Cookie", "X-Auth", "Access-Control", "Anthropic", "Openai-Long", "html"} {
				if strings.Contains(string(ev.Data), bad) {
					t.Errorf("the event has %s: %.300s", bad, ev.Data)
				}
			}
			return
		}
	}
}

// TestAnAnswersHeaderIsFromTheList, also of an event that another version has written.
func TestAnAnswersHeaderIsFromTheList(t *testing.T) {
	h := http.Header{}
	answerHeader(h, &orchestrator.AnswerData{CallHead: nodeapi.CallHead{ContentType: "application/json", Header: map[string]string{"Set-Cookie": "a=b", "Openai-Version": "1"}}})
	if h.Get("Set-Cookie") != "" || h.Get("Openai-Version") != "1" {
		t.Errorf("got %v, want Openai-Version alone", h)
	}
}

// TestAnAnswerThatIsNoneIsANodesFault: a status that no engine answers with, and bytes that
// are no text.
func TestAnAnswerThatIsNoneIsANodesFault(t *testing.T) {
	for name, answer := range map[string]func(out frames){
		"an interim status": func(out frames) {
			out.value(nodeapi.FrameHead, nodeapi.CallHead{Status: 101, ContentType: "application/json"})
			out.send(nodeapi.FrameLast, `{"ok":true}`)
		},
		"a status of nothing": func(out frames) {
			out.value(nodeapi.FrameHead, nodeapi.CallHead{Status: 999, ContentType: "application/json"})
			out.send(nodeapi.FrameLast, `{"ok":true}`)
		},
		"no text": func(out frames) {
			out.head("application/json")
			out.send(nodeapi.FrameLast, "{\"ok\":\"\xff\"}")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{})
			s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
				answer(out)
				out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true})
			})
			res := s.send(t.Context(), "POST", "/v1/chat/completions", `{"model":"demo"}`)
			text, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != 502 || strings.Contains(string(text), `"ok"`) {
				t.Errorf("got %d %q, %v, want 502", res.StatusCode, text, err)
			}
		})
	}
}

// TestNoCommentIsWithinAnEvent that the engine sends in parts, however long they take.
func TestNoCommentIsWithinAnEvent(t *testing.T) {
	s := serve(t, Options{Streams: Streams{Heartbeat: 5 * time.Millisecond}})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		out.head("text/event-stream")
		out.send(nodeapi.FramePart, `data: {"content":"hel`)
		<-time.After(300 * time.Millisecond) // many heartbeats
		out.send(nodeapi.FrameData, "lo\"}\n\n")
		<-time.After(300 * time.Millisecond)
		out.send(nodeapi.FrameLast, "data: [DONE]\n\n")
		out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true})
	})
	got := s.want(200, "POST", "/v1/chat/completions", chat)
	if !strings.Contains(got, `data: {"content":"hello"}`) {
		t.Errorf("got %q, want the event in one piece", got)
	}
	if after := got[strings.LastIndex(got, "}"):]; !strings.Contains(after, ": alive\n") {
		t.Errorf("got %q, want comments between events", got)
	}
}

// TestNothingIsAddedToLines, however long the engine takes.
func TestNothingIsAddedToLines(t *testing.T) {
	s := serve(t, Options{Streams: Streams{Heartbeat: 5 * time.Millisecond, Commit: time.Millisecond}})
	const first, last = "{\"response\":\"a\"}\n", "{\"done\":true}\n"
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		<-time.After(100 * time.Millisecond)
		out.head("application/x-ndjson")
		out.send(nodeapi.FrameData, first)
		<-time.After(100 * time.Millisecond)
		out.send(nodeapi.FrameLast, last)
		out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true})
	})
	if got := s.want(200, "POST", "/api/generate", `{"model":"demo"}`); got != first+last {
		t.Errorf("got %q, want the two lines", got)
	}
}

// TestAnEventThatBreaksOffIsBrokenOff: with an event of ours behind it, the answer would be
// one that the engine never gave.
func TestAnEventThatBreaksOffIsBrokenOff(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		out.head("text/event-stream")
		out.send(nodeapi.FrameData, "data: {\"content\":\"a\"}\n\n")
		out.send(nodeapi.FramePart, `data: {"content":"hel`)
		<-time.After(100 * time.Millisecond) // it is written to the client
		panic(http.ErrAbortHandler)
	})
	res := s.send(t.Context(), "POST", "/v1/chat/completions", chat)
	text, err := io.ReadAll(res.Body)
	if err == nil || strings.Contains(string(text), "error") {
		t.Errorf("got %q and a proper end, want a broken answer", text)
	}
}

// TestPlacesForStreamsAreGivenBack: with two places, many calls and readers one after the
// other are served.
func TestPlacesForStreamsAreGivenBack(t *testing.T) {
	s := serve(t, Options{Streams: Streams{MaxStreams: 2}})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) { out.hello() })
	for range 5 {
		res := s.send(t.Context(), "POST", "/v1/chat/completions", chat)
		if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 {
			t.Fatalf("a call: got %d %s, %v", res.StatusCode, text, err)
		}
		s.want(200, "GET", "/v2/tasks/"+res.Header.Get("X-Task-Id")+"/events", "")
	}
}

// TestHeartbeatsDoNotDecideTheStatus: it is held until the engine answers, however many
// heartbeats are due before.
func TestHeartbeatsDoNotDecideTheStatus(t *testing.T) {
	s := serve(t, Options{Streams: Streams{Heartbeat: 5 * time.Millisecond}})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) {
		<-time.After(200 * time.Millisecond) // many heartbeats, and much less than the status may wait
		out.value(nodeapi.FrameError, nodeapi.CallError{Code: "ENGINE_REJECTED", Message: "no", Engine: "e", Status: 400, ContentType: "application/json", Body: []byte(`{"error":{"code":"no"}}`)})
	})
	if got := s.want(400, "POST", "/v1/chat/completions", chat); got != `{"error":{"code":"no"}}` {
		t.Errorf("got %s, want the engine's refusal", got)
	}
}
