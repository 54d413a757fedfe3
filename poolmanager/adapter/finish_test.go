package adapter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestAFinishReasonThatIsNotKnownToBeSuccessIsAFailure(t *testing.T) {
	for word, want := range map[string]string{
		"stop": "stop", "length": "length", "eos_token": "stop", "stop_sequence": "stop",
		"abort": "", "error": "", "cancelled": "", "load": "", "unload": "", "STOP": "", "tool_calls": "", "content_filter": "", "something new": "",
	} {
		for name, c := range map[string]struct {
			dialect adapter.Dialect
			task    nodeapi.DispatchRequest
			body    string
		}{
			"chat":      {adapter.OpenAI, nodeapi.DispatchRequest{Messages: messages}, chatPiece + `data: {"choices":[{"delta":{},"finish_reason":"` + word + `"}]}` + "\n\n" + done},
			"text":      {adapter.OpenAI, nodeapi.DispatchRequest{Prompt: "x"}, `data: {"choices":[{"text":"a","finish_reason":"` + word + `"}]}` + "\n\n" + done},
			"llama.cpp": {adapter.LlamaCPP, nodeapi.DispatchRequest{Prompt: "x"}, `data: {"content":"a","stop":true,"stop_type":"` + word + `"}` + "\n\n"},
		} {
			_, result, err := answerOf(t, c.dialect, c.task, answering("text/event-stream", c.body))
			var got *adapter.Error
			switch {
			case want != "" && (err != nil || result.FinishReason != want):
				t.Errorf("%s, %s: got %+v, %v, want %s", name, word, result, err, want)
			case want == "" && (!errors.As(err, &got) || got.Class != adapter.ClassFailed || !strings.Contains(got.Message, word)):
				t.Errorf("%s, %s: got %+v, %v, want %s with the word", name, word, result, err, adapter.ClassFailed)
			}
		}
	}
	_, _, err := answerOf(t, adapter.LlamaCPP, nodeapi.DispatchRequest{Prompt: "x"}, answering("", `data: {"content":"a","stop":true,"stop_type":"none"}`+"\n\n"))
	if err == nil {
		t.Error("llama.cpp's stop_type none: got an answer, want an error")
	}
}
