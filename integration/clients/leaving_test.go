package clients_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	anthropicoption "github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/ollama/ollama/api"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// authRandom is a new token, or a new key.
func authRandom() string { return authmin.RandomSecret().Reveal() }

// longChat takes minutes.
func longChat() openai.ChatCompletionNewParams {
	params := chatParams()
	params.MaxTokens = openai.Int(20_000)
	return params
}

// task is what a task's record says.
type task struct {
	ID           string `json:"task_id"`
	State        string `json:"state"`
	TokensIn     int    `json:"tokens_in"`
	TokensOut    int    `json:"tokens_out"`
	CachedIn     int    `json:"tokens_cached_in"`
	ReasoningOut int    `json:"tokens_reasoning_out"`
	Estimated    bool   `json:"tokens_estimated"`
}

// record reads the record of a task.
func (s site) record(id string) (task, error) {
	var got task
	answer, err := s.admin.Do("GET", "/v2/tasks/"+id, "")
	if err == nil && answer.Status != 200 {
		err = fmt.Errorf("status %d", answer.Status)
	}
	if err == nil {
		err = answer.JSON(&got)
	}
	return got, err
}

func openaiAbort(t *testing.T, s site) {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var answer *http.Response
	c := s.openai(s.user)
	stream := c.Chat.Completions.NewStreaming(ctx, longChat(), openaioption.WithResponseInto(&answer))
	defer stream.Close()
	for range 5 {
		if !stream.Next() {
			t.Fatalf("the stream ends: %v", stream.Err())
		}
	}
	leave()
	for stream.Next() {
	}
	if !errors.Is(stream.Err(), context.Canceled) {
		t.Errorf("got %v, want that the context is canceled", stream.Err())
	}
	s.wantCanceled(t, answer.Header.Get("X-Task-Id"))
}

// wantCanceled waits for the record of a task that was left in its middle.
func (s site) wantCanceled(t *testing.T, id string) {
	t.Helper()
	testkit.Within(t, limit, "the task is canceled", func() error {
		got, err := s.record(id)
		if err == nil && (got.State != "canceled" || got.TokensOut == 0) {
			err = fmt.Errorf("record %+v", got)
		}
		return err
	})
}

func openaiAbortedResponse(t *testing.T, s site) {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var answer *http.Response
	c := s.openai(s.user)
	params := responseParams(hello)
	params.MaxOutputTokens = openai.Int(20_000)
	stream := c.Responses.NewStreaming(ctx, params, openaioption.WithResponseInto(&answer))
	defer stream.Close()
	for stream.Next() {
		if stream.Current().Type == "response.output_text.delta" {
			leave()
		}
	}
	if !errors.Is(stream.Err(), context.Canceled) {
		t.Errorf("got %v, want that the context is canceled", stream.Err())
	}
	s.wantCanceled(t, answer.Header.Get("X-Task-Id"))
}

// openaiTimeout has an identity of its own, whose list of tasks it looks at.
func openaiTimeout(t *testing.T, s site) {
	c := s.openai(s.late[0])
	_, err := c.Chat.Completions.New(t.Context(), longChat(), openaioption.WithRequestTimeout(shortly))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the deadline is exceeded", err)
	}
	s.wantOneCanceled(t, s.late[0])
}

// shortly is the time-out of a client whose answer takes minutes.
const shortly = 400 * time.Millisecond

// wantOneCanceled waits until the one task of an identity is canceled.
func (s site) wantOneCanceled(t *testing.T, token string) {
	t.Helper()
	testkit.Within(t, limit, "the task is canceled", func() error {
		var list struct{ Tasks []task }
		answer, err := s.admin.As(token).Do("GET", "/v2/tasks", "")
		if err == nil {
			err = answer.JSON(&list)
		}
		if err == nil && (len(list.Tasks) != 1 || list.Tasks[0].State != "canceled") {
			err = fmt.Errorf("tasks: %s", answer.Body)
		}
		return err
	})
}

func anthropicLeaves(t *testing.T, s site) {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var answer *http.Response
	c := s.anthropic(s.user)
	params := messageParams()
	params.MaxTokens = 20_000
	stream := c.Messages.NewStreaming(ctx, params, anthropicoption.WithResponseInto(&answer))
	defer stream.Close()
	for stream.Next() {
		if stream.Current().Type == "content_block_delta" {
			leave()
		}
	}
	if !errors.Is(stream.Err(), context.Canceled) {
		t.Errorf("got %v, want that the context is canceled", stream.Err())
	}
	s.wantCanceled(t, answer.Header.Get("X-Task-Id"))

	c = s.anthropic(s.late[1])
	if _, err := c.Messages.New(t.Context(), params, anthropicoption.WithRequestTimeout(shortly)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the deadline is exceeded", err)
	}
	s.wantOneCanceled(t, s.late[1])
}

func ollamaLeaves(t *testing.T, s site) {
	noted := &taskOf{next: bearer(s.user)}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	q := ollamaParams(true)
	q.Options["num_predict"] = 20_000
	err := s.ollamaOver(t, noted).Chat(ctx, q, func(line api.ChatResponse) error {
		if leave(); line.Done {
			t.Errorf("the answer is whole: %+v", line)
		}
		return nil
	})
	if err != nil && !errors.Is(err, context.Canceled) { // this client does not always say that a stream was cut
		t.Errorf("got %v, want at most that the context is canceled", err)
	}
	s.wantCanceled(t, noted.id)

	ctx, stop := context.WithTimeout(t.Context(), shortly)
	defer stop()
	*q.Stream = false
	if _, _, err := chatted(ctx, s.ollama(t, s.late[2]), q); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the deadline is exceeded", err)
	}
	s.wantOneCanceled(t, s.late[2])
}
