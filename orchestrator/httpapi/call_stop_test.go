package httpapi

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
)

const chat = `{"model":"demo","stream":true,"messages":[{"role":"user","content":"x"}]}`

// TestAStreamThatAStopEndsSaysSo: a client would take a proper end for the whole
// answer.
func TestAStreamThatAStopEndsSaysSo(t *testing.T) {
	s := serve(t, Options{Streams: Streams{Commit: time.Millisecond}})
	begun := make(chan struct{}, 1)
	s.engine("n", 1, func(_ frames, r *http.Request, _ string) {
		begun <- struct{}{}
		<-r.Context().Done()
	})
	res := s.send(t.Context(), "POST", "/v1/chat/completions", chat)
	testkit.Receive(t, begun, "the engine's call")
	go s.o.Stop(context.Background())
	text, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(text), `"code":"STOPPING"`) || strings.Contains(string(text), "[DONE]") {
		t.Errorf("got %q, %v, want an error", text, err)
	}
}

// TestACallRefusedAtAStopLeavesNoTask stops while a call waits in the queue. Its task
// would run after the next start without a reader.
func TestACallRefusedAtAStopLeavesNoTask(t *testing.T) {
	for body, key := range map[string]string{chat: "", strings.Replace(chat, "true", "false", 1): "", strings.Replace(chat, `"x"`, `"y"`, 1): "k"} {
		s := serve(t, Options{})
		s.engine("n", 0, func(out frames, _ *http.Request, _ string) { out.hello() })
		ended := make(chan string, 1)
		go func() {
			text, _ := io.ReadAll(s.send(t.Context(), "POST", "/v1/chat/completions", body, "Idempotency-Key", key).Body)
			ended <- string(text)
		}()
		var id string
		testkit.Eventually(t, "the call waits", func() bool {
			page, err := s.o.Tasks(orchestrator.Who{Identity: "ci"}, orchestrator.Queued, 1, "")
			if err == nil && len(page.Tasks) == 1 {
				id = page.Tasks[0].TaskID
			}
			return id != ""
		})
		go s.o.Stop(context.Background())
		if got := testkit.Receive(t, ended, "the end"); !strings.Contains(got, `"code":"STOPPING"`) {
			t.Errorf("got %q", got)
		}
		testkit.Eventually(t, "its place is free", func() bool { return s.api.streams.Total() == 0 })
		want := orchestrator.Canceled
		if key != "" {
			want = orchestrator.Queued
		}
		if task, err := s.o.Task(orchestrator.Who{Identity: "ci"}, id); err != nil || task.State != want {
			t.Errorf("with the key %q: the task is %s, %v, want %s", key, task.State, err, want)
		}
	}
}

// TestACallerThatLeavesCancelsUnlessItMayComeBack hangs up without and with an
// Idempotency-Key.
func TestACallerThatLeavesCancelsUnlessItMayComeBack(t *testing.T) {
	for name, key := range map[string]string{"no key": "", "a key": "k"} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{Streams: Streams{Commit: time.Millisecond}})
			begun, goOn, ended := make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)
			s.engine("n", 1, func(out frames, r *http.Request, _ string) {
				begun <- struct{}{}
				select {
				case <-goOn:
					out.hello()
				case <-r.Context().Done():
				}
				ended <- r.Context().Err()
			})
			ctx, leave := context.WithCancel(t.Context())
			s.send(ctx, "POST", "/v1/chat/completions", chat, "Idempotency-Key", key)
			testkit.Receive(t, begun, "the engine's call")
			leave()
			testkit.Eventually(t, "its place is free", func() bool { return s.api.streams.Total() == 0 })
			if key == "" {
				select {
				case err := <-ended:
					if err == nil {
						t.Error("the engine has answered")
					}
				case <-time.After(within):
					t.Error("the engine was not told")
				}
				return
			}
			close(goOn)
			if got := s.want(200, "POST", "/v1/chat/completions", chat, "Idempotency-Key", key); !strings.Contains(got, `"content":"hello"`) || !strings.HasSuffix(got, "data: [DONE]\n\n") {
				t.Errorf("the same again: got %q, want the answer", got)
			}
		})
	}
}
