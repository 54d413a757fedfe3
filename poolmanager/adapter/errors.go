package adapter

import (
	"context"
	"encoding/json"
	"strings"
)

// Class says what kind of failure it was; it is the code of the error event.
type Class string

// The classes of failure.
const (
	ClassUnavailable Class = "ENGINE_UNAVAILABLE" // no connection, nothing was sent
	ClassBusy        Class = "ENGINE_BUSY"        // it takes no work now
	ClassRefused     Class = "ENGINE_REFUSED"     // the task itself is wrong for it
	ClassFailed      Class = "ENGINE_ERROR"       // it says that it failed
	ClassReset       Class = "WORKER_RESET"       // the stream broke
)

// maxMessage bounds the engine's own words in an error, in bytes.
const maxMessage = 300

// Error is a failure of the engine.
type Error struct {
	Class   Class
	Message string
}

// Error says the class and the message.
func (e *Error) Error() string { return string(e.Class) + ": " + e.Message }

// failure prefers the reason why we hung up ourselves to what that looks like.
func failure(ctx context.Context, class Class, message string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &Error{Class: class, Message: message + ": " + clip(err.Error())}
}

// message finds the text in the usual {"error":{"message":…}} and {"error":…}.
func message(body []byte) string {
	var nested struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &nested) == nil && nested.Error.Message != "" {
		return clip(nested.Error.Message)
	}
	var flat struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &flat) == nil && flat.Error != "" {
		return clip(flat.Error)
	}
	return clip(string(body))
}

func clip(text string) string {
	if len(text) > maxMessage {
		text = text[:maxMessage] + "…"
	}
	return strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "�")
}
