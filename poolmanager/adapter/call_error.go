package adapter

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// ClassRejected is the engine's refusal of a native call: its own status and body say why.
const ClassRejected Class = "ENGINE_REJECTED"

// maxRejectionBytes bounds an engine's own error body: nodeapi's frames have room for it.
const maxRejectionBytes = 64 << 10

// Response is an engine's own answer to a call that it refused, as the client may have it.
type Response struct {
	Status      int
	ContentType string
	Header      map[string]string
	Body        []byte
}

// rejection is an answer with a status that is no success.
func (t Target) rejection(ctx context.Context, c Call, response *http.Response) error {
	status := response.StatusCode
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return t.refusedKey(status)
	}
	if status < 400 {
		return t.refused(fmt.Sprintf("the engine answered with status %d, which a client of this route cannot follow", status))
	}
	var text []byte
	body, err := decoded(response)
	if err == nil {
		// What came before a break is worth showing, too.
		text, err = io.ReadAll(io.LimitReader(body, maxRejectionBytes+1))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	cut := err != nil || len(text) > maxRejectionBytes
	text = text[:min(len(text), maxRejectionBytes)]
	failed := &Error{Class: rejectionClass(status, response.Header), Message: fmt.Sprintf("the engine answered %d (%s): %s",
		status, kind(response.Header.Get("Content-Type")), t.message(text, cut))}
	if failed.Class == ClassBusy {
		failed.RetryAfter = nodeapi.ParseRetryAfter(response.Header.Get("Retry-After"), time.Now())
	}
	if status < 500 && !isError(text, cut) {
		failed.Message += c.withoutRoute(status)
		if status == http.StatusMethodNotAllowed { // the path is another route's, such as a response's by its id
			status = http.StatusNotFound
		}
		failed.Response = &Response{Status: status}
		return failed
	}
	clean := strings.ToValidUTF8(Redact(t.Key, string(text)), "?")
	failed.Response = &Response{
		Status: status, ContentType: contentType(response.Header), Header: t.answerHeader(response.Header),
		Body: []byte(clean[:min(len(clean), maxRejectionBytes)]),
	}
	return failed
}

// isError reports whether the body of a refusal may be an error of the API, which is an
// object of JSON in all of them. Any other body is of a router or proxy in front of the API,
// and SDKs show nothing of it.
func isError(text []byte, cut bool) bool {
	return isObject(text) && (cut || json.Valid(text)) && !isRouters(text)
}

// isRouters reports whether the body is what Starlette, the router of vLLM and SGLang,
// answers for a path or a method that it does not have.
func isRouters(text []byte) bool {
	answer := object(text)
	detail := word(answer["detail"])
	return len(answer) == 1 && (detail == "Not Found" || detail == "Method Not Allowed")
}

// withoutRoute is what such a status means most of the time; "" for others.
func (c Call) withoutRoute(status int) string {
	if status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
		return ""
	}
	return "; it seems not to have the route " + c.Operation.Method + " " + c.Operation.Path
}

// refused is a refusal of us, not of the client: its status would tell the client that
// its own key is wrong, or that it has to look elsewhere.
func (t Target) refused(message string) *Error {
	return &Error{Class: ClassRefused, Message: message, Response: &Response{Status: http.StatusBadGateway}}
}

// refusedKey is the engine's refusal of the key that it was sent.
func (t Target) refusedKey(status int) *Error {
	return t.refused(fmt.Sprintf("the engine did not accept the pool manager's key (status %d); look at the template's key and at the engine's log", status))
}

// rejectionClass is what a status of 400 and more means.
func rejectionClass(status int, h http.Header) Class {
	switch {
	case later(status, h):
		return ClassBusy
	case status >= 500 && status != http.StatusNotImplemented: // llama-server without --embeddings
		return ClassFailed
	}
	return ClassRejected
}
