package clients_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

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
	ID        string `json:"task_id"`
	State     string `json:"state"`
	TokensOut int    `json:"tokens_out"`
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
	testkit.Within(t, limit, "the task is canceled", func() error {
		got, err := s.record(answer.Header.Get("X-Task-Id"))
		if err == nil && (got.State != "canceled" || got.TokensOut == 0) {
			err = fmt.Errorf("record %+v", got)
		}
		return err
	})
}

// openaiTimeout has an identity of its own, whose list of tasks it looks at.
func openaiTimeout(t *testing.T, s site) {
	c := s.openai(s.late)
	_, err := c.Chat.Completions.New(t.Context(), longChat(), openaioption.WithRequestTimeout(400*time.Millisecond))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the deadline is exceeded", err)
	}
	testkit.Within(t, limit, "the task is canceled", func() error {
		var list struct{ Tasks []task }
		answer, err := s.admin.As(s.late).Do("GET", "/v2/tasks", "")
		if err == nil {
			err = answer.JSON(&list)
		}
		if err == nil && (len(list.Tasks) != 1 || list.Tasks[0].State != "canceled") {
			err = fmt.Errorf("tasks: %s", answer.Body)
		}
		return err
	})
}
