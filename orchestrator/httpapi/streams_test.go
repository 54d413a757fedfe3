package httpapi

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
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
	testkit.Receive(t, begun, "the engine's call")
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
	if got := s.send(t.Context(), "PUT", "/v2/tasks/"+id, "").Header.Get("Allow"); got != "GET, DELETE, HEAD" {
		t.Errorf("Allow: got %q", got)
	}
}
