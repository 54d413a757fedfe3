package clients_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/ollama/ollama/api"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
)

// cancel cancels the task of an answer, as an administrator may.
func (s site) cancel(t *testing.T, id string) {
	t.Helper()
	if answer, err := s.admin.Do("POST", "/v2/tasks/"+id+"/cancel", ""); err != nil || answer.Status != 204 {
		t.Errorf("canceling task %q: %d %s, %v", id, answer.Status, answer.Body, err)
	}
}

// The stream of a task that is canceled does not end as a whole one does: each client
// gives an error that names the cause.
func openaiCanceled(t *testing.T, s site) {
	var answer *http.Response
	c := s.openai(s.user)
	stream := c.Chat.Completions.NewStreaming(t.Context(), longChat(), openaioption.WithResponseInto(&answer))
	defer stream.Close()
	for i := 0; stream.Next(); i++ {
		if i == 3 {
			s.cancel(t, answer.Header.Get("X-Task-Id"))
		}
	}
	if got, _ := errors.AsType[*ssestream.StreamError](stream.Err()); got == nil || !strings.Contains(got.Message, "CANCELED") {
		t.Errorf("chat: got %v, want an error of the stream that says CANCELED", stream.Err())
	}
	params := responseParams(hello)
	params.MaxOutputTokens = openai.Int(20_000)
	events := c.Responses.NewStreaming(t.Context(), params, openaioption.WithResponseInto(&answer))
	defer events.Close()
	code := ""
	for i := 0; events.Next(); i++ {
		if i == 6 {
			s.cancel(t, answer.Header.Get("X-Task-Id"))
		}
		if ev := events.Current(); ev.Type == "error" {
			code = ev.Code
		} else if code != "" || ev.Type == "response.completed" {
			t.Errorf("responses: %s after the error or in its place", ev.Type)
		}
	}
	if events.Err() != nil || code != "CANCELED" {
		t.Errorf("responses: got %q, %v, want an event that says CANCELED", code, events.Err())
	}
}

func anthropicCanceled(t *testing.T, s site) {
	var answer *http.Response
	c := s.anthropic(s.user)
	params := messageParams()
	params.MaxTokens = 20_000
	stream := c.Messages.NewStreaming(t.Context(), params, anthropicoption.WithResponseInto(&answer))
	defer stream.Close()
	for i := 0; stream.Next(); i++ {
		if i == 4 {
			s.cancel(t, answer.Header.Get("X-Task-Id"))
		}
	}
	if got, _ := errors.AsType[*anthropic.Error](stream.Err()); got == nil || !strings.Contains(got.Error(), "CANCELED") || got.Message == "" {
		t.Errorf("got %v, want an error that says CANCELED", stream.Err())
	}
}

// taskOf notes the task of the last answer.
type taskOf struct {
	next http.RoundTripper
	id   string
}

func (n *taskOf) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := n.next.RoundTrip(r)
	if err == nil {
		n.id = res.Header.Get("X-Task-Id")
	}
	return res, err
}

func ollamaCanceled(t *testing.T, s site) {
	noted := &taskOf{next: bearer(s.user)}
	q := ollamaParams(true)
	q.Options["num_predict"] = 20_000
	lines := 0
	err := s.ollamaOver(t, noted).Chat(t.Context(), q, func(line api.ChatResponse) error {
		if lines++; lines == 4 {
			s.cancel(t, noted.id)
		}
		if line.Done {
			t.Errorf("a line says that the answer is whole: %+v", line)
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got %v, want an error that says that it was canceled", err)
	}
}
