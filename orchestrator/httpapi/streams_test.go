package httpapi

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestEventsThatCannotBeReadAreLoggedOnce has a record in the event log that is
// none: the stream ends without an event that says so, and the log says why.
func TestEventsThatCannotBeReadAreLoggedOnce(t *testing.T) {
	s := serve(t, Options{})
	s.pool(0, echo)
	id := s.submit()
	if err := s.store.Events().Append(id, []byte("no record")); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Events().Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.pool(1, echo)
	testkit.Eventually(t, "the task has ended, and its events are read from the log", func() bool {
		return s.want(200, "GET", "/v2/tasks/"+id+"/events", "") == ""
	})
	before := len(s.log.Lines("reading a task's events"))
	if got := s.want(200, "GET", "/v2/tasks/"+id+"/events", ""); got != "" {
		t.Errorf("got %q, want a stream that is cut", got)
	}
	testkit.Eventually(t, "a line in the log", func() bool { return len(s.log.Lines("reading a task's events")) > before })
	if got := s.log.Lines("reading a task's events"); len(got) != before+1 || !strings.Contains(got[before], id) || !strings.Contains(got[before], "correlation_id=") {
		t.Errorf("logged %q, want one line with the task", got[before:])
	}
}

// TestOrdinaryEndsOfAStreamAreNotLogged reads a stream to its end, and closes
// another one early.
func TestOrdinaryEndsOfAStreamAreNotLogged(t *testing.T) {
	s := serve(t, Options{})
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	s.pool(2, func(send func(nodeapi.Event), _ *http.Request) {
		send(nodeapi.Event{Type: nodeapi.EventToken, Text: "hello"})
		begun <- struct{}{}
		<-goOn
		send(nodeapi.Event{Type: nodeapi.EventEnd, TokensOut: 1})
	})
	id := s.submit()
	<-begun
	ctx, leave := context.WithCancel(t.Context())
	res := s.send(ctx, "GET", "/v2/tasks/"+id+"/events", "")
	if _, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	leave()
	testkit.Eventually(t, "its place is free", func() bool { return s.api.streams.Total() == 0 })
	close(goOn)
	if got := s.want(200, "GET", "/v2/tasks/"+id+"/events", ""); !strings.Contains(got, "event: end") {
		t.Errorf("got %q", got)
	}
	if got := s.log.Lines(id); len(got) != 0 {
		t.Errorf("logged %q", got)
	}
}

func TestAHeadOfAStreamDoesNotWait(t *testing.T) {
	s := serve(t, Options{})
	s.pool(0, echo)
	id := s.submit()
	res := s.send(t.Context(), "HEAD", "/v2/tasks/"+id+"/events", "")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("got %d %v", res.StatusCode, res.Header)
	}
	testkit.Eventually(t, "its place is free", func() bool { return s.api.streams.Total() == 0 })
	s.want(422, "GET", "/v2/tasks/"+id+"/events", "", "Last-Event-ID", "18446744073709551615")
	if got := s.send(t.Context(), "PUT", "/v2/tasks/"+id, "").Header.Get("Allow"); got != "GET, HEAD" {
		t.Errorf("Allow: got %q", got)
	}
}

const chat = `{"model":"demo","stream":true,"messages":[{"role":"user","content":"x"}]}`

// TestAStreamThatAStopEndsSaysSo: a client would take a proper end for the whole
// answer.
func TestAStreamThatAStopEndsSaysSo(t *testing.T) {
	s := serve(t, Options{})
	begun := make(chan struct{}, 1)
	s.pool(1, func(_ func(nodeapi.Event), r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
	})
	res := s.send(t.Context(), "POST", "/v1/chat/completions", chat)
	<-begun
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
		s.pool(0, echo)
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
		if got := <-ended; !strings.Contains(got, `"code":"STOPPING"`) {
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
			s := serve(t, Options{})
			begun, goOn, ended := make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)
			s.pool(1, func(send func(nodeapi.Event), r *http.Request) {
				begun <- struct{}{}
				select {
				case <-goOn:
					echo(send, r)
				case <-r.Context().Done():
				}
				ended <- r.Context().Err()
			})
			ctx, leave := context.WithCancel(t.Context())
			s.send(ctx, "POST", "/v1/chat/completions", chat, "Idempotency-Key", key)
			<-begun
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
