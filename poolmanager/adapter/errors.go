package adapter

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// Class says what kind of failure it was; it is the code of the error event.
type Class string

// The classes of failure.
const (
	ClassUnavailable Class = "ENGINE_UNAVAILABLE" // no connection, nothing was sent
	ClassBusy        Class = "ENGINE_BUSY"        // it takes no work now
	ClassRefused     Class = "ENGINE_REFUSED"     // the task itself is wrong for it
	ClassFailed      Class = "ENGINE_ERROR"       // it says that it failed, or what it says is no answer
	ClassReset       Class = "WORKER_RESET"       // the stream broke, or stopped flowing
)

// Error is a failure of the engine.
type Error struct {
	Class   Class
	Message string
	// RetryAfter is how long a busy engine asked to wait; 0: it did not say.
	RetryAfter time.Duration
	// Stalled says that the engine made no progress within its limit.
	Stalled bool
	// Response is the engine's own answer to a native call that it refused; nil: it did
	// not.
	Response *Response
}

// Error says the class and the message.
func (e *Error) Error() string { return string(e.Class) + ": " + e.Message }

// failure prefers the reason why we hung up ourselves to what that looks like.
func (t Target) failure(ctx context.Context, class Class, message string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &Error{Class: class, Message: message + ": " + t.words([]byte(err.Error()), false)}
}

// message finds the text in the forms that engines give their errors:
// {"error":{"message":…}} and {"error":…} of OpenAI's routes, llama.cpp and Ollama,
// {"object":"error","message":…} of older vLLM, {"detail":…} of FastAPI. Otherwise
// it is all that was sent.
func (t Target) message(body []byte, cut bool) string {
	var said struct {
		Error   json.RawMessage `json:"error"`
		Message json.RawMessage `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if cut || json.Unmarshal(body, &said) != nil {
		return t.words(body, cut)
	}
	var nested struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(said.Error, &nested) == nil && nested.Message != "" {
		return t.words([]byte(nested.Message), false)
	}
	for _, raw := range []json.RawMessage{said.Error, said.Message, said.Detail} {
		var text string
		if json.Unmarshal(raw, &text) == nil && text != "" {
			return t.words([]byte(text), false)
		}
	}
	return t.words(body, false)
}

// statusOverloaded is what servers after Anthropic's manner answer in place of 503.
const statusOverloaded = 529

// later reports whether a refusal means "try later": by its status, or by a
// Retry-After beside one that says nothing against the task itself.
func later(status int, h http.Header) bool {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable, status == statusOverloaded:
		return true
	case status == http.StatusNotImplemented:
		return false
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusTooEarly:
		return nodeapi.ParseRetryAfter(h.Get("Retry-After"), time.Now()) > 0
	}
	return false
}
