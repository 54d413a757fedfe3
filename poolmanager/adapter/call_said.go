package adapter

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// statusOf is what the words mean by which engines class their errors, in type or code:
// those of OpenAI's and Anthropic's APIs, of vLLM (vllm/entrypoints/openai), and of
// llama.cpp (tools/server, format_error_response).
var statusOf = map[string]int{
	"invalid_request_error": http.StatusBadRequest, "BadRequestError": http.StatusBadRequest, "exceed_context_size_error": http.StatusBadRequest,
	"context_length_exceeded": http.StatusBadRequest, "invalid_prompt": http.StatusBadRequest,
	"authentication_error": http.StatusUnauthorized, "permission_error": http.StatusForbidden,
	"not_found_error": http.StatusNotFound, "NotFoundError": http.StatusNotFound,
	"request_too_large": http.StatusRequestEntityTooLarge,
	"rate_limit_error":  http.StatusTooManyRequests, "rate_limit_exceeded": http.StatusTooManyRequests,
	"api_error": http.StatusInternalServerError, "server_error": http.StatusInternalServerError, "InternalServerError": http.StatusInternalServerError,
	"not_supported_error": http.StatusNotImplemented, "unavailable_error": http.StatusServiceUnavailable,
	"timeout_error": http.StatusGatewayTimeout, "overloaded_error": statusOverloaded,
}

// said is the failure that an engine tells of in an answer with a status of success: in
// an event, or in place of the answer. Where it names a status, in figures or by its
// class, the failure is that of an answer with this status.
func (r *callReader) said(document []byte) *Error {
	failed := &Error{Class: ClassFailed, Message: r.target.message(document, false)}
	status := namedStatus(document)
	switch status {
	case 0:
		return failed
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return r.target.refusedKey(status)
	}
	failed.Class, failed.Response = rejectionClass(status, nil), &Response{Status: status}
	if body := r.errorBody(document); len(body) <= maxRejectionBytes {
		failed.Response.ContentType, failed.Response.Body = mediaJSON, body
	}
	return failed
}

// errorBody is an engine's error as the body of an answer: an event that is one itself
// becomes the member error.
func (r *callReader) errorBody(document []byte) []byte {
	document = bytes.TrimSpace(document)
	if !present(object(document)["error"]) {
		document = append(append([]byte(`{"error":`), document...), '}')
	}
	return []byte(Redact(r.target.Key, string(document)))
}

// namedStatus is the status of an error that a document names; 0 where it names none.
func namedStatus(document []byte) int {
	if !utf8.Valid(document) {
		return 0
	}
	top := object(document)
	places := []map[string]json.RawMessage{object(top["error"]), top}
	for _, place := range places {
		for _, name := range []string{"code", "status", "status_code"} {
			figure := strings.Trim(string(place[name]), `"`)
			if status, err := strconv.Atoi(figure); err == nil && len(figure) == 3 && status >= 400 && status <= 599 {
				return status
			}
		}
	}
	for _, place := range places {
		for _, name := range []string{"code", "type"} {
			if status := statusOf[word(place[name])]; status != 0 {
				return status
			}
		}
	}
	return 0
}
