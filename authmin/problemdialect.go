package authmin

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// Dialect is the shape of errors that the SDKs of a route can show.
type Dialect uint8

// The zero Dialect is that of every route without one of its own.
const (
	DialectOpenAI    Dialect = iota // `"error": {message, type, param, code}`
	DialectAnthropic                // `"type": "error", "error": {type, message}`: /v1/messages and below
	DialectOllama                   // `"error": "message"`: below /api/
)

// DialectOf returns the dialect of a path, as the client sent it.
func DialectOf(path string) Dialect {
	switch {
	case path == "/v1/messages" || strings.HasPrefix(path, "/v1/messages/"):
		return DialectAnthropic
	case strings.HasPrefix(path, "/api/"):
		return DialectOllama
	}
	return DialectOpenAI
}

// ContentType is that of a problem's body. Ollama's clients read an error only from
// application/json, and the body for Anthropic's is no problem of RFC 9457.
func (d Dialect) ContentType() string {
	if d == DialectOpenAI {
		return "application/problem+json"
	}
	return "application/json"
}

// Body is the body of an error answer with this correlation id: the members of the
// problem and beside them `error`, which SDKs show. Ollama's clients want text in
// `status`, and Anthropic's another value in `type`: for those the members are in `error`.
func (p *Problem) Body(d Dialect, id string) []byte {
	var body map[string]any
	switch d {
	case DialectAnthropic:
		body = map[string]any{"type": "error", "error": p.anthropic()}
		if id != "" {
			body["request_id"] = id
		}
	case DialectOllama:
		body = p.members(id)
		body["error"], body["status"] = p.message(), p.statusLine()
	default:
		body = p.members(id)
		body["error"] = p.openAI()
	}
	encoded, err := json.Marshal(body)
	if err != nil { // an Extra that is no JSON: a defect of ours
		return []byte(`{"type":"about:blank","title":"Internal error","status":500,"code":"INTERNAL"}`)
	}
	return encoded
}

// members are those of RFC 9457 and our own.
func (p *Problem) members(id string) map[string]any {
	body := map[string]any{}
	maps.Copy(body, p.Extra)
	body["type"] = "urn:llorch:problem:" + strings.ToLower(p.Code)
	body["title"] = p.Title
	body["status"] = p.Status
	body["code"] = p.Code
	body["hint"] = p.Hint
	if p.CodeNumber != 0 {
		body["code_number"] = p.CodeNumber
	}
	if id != "" {
		body["correlation_id"] = id
	}
	return body
}

// message is the one sentence or two that an SDK shows.
func (p *Problem) message() string {
	if p.Message != "" {
		return p.Message
	}
	return p.Title + ". " + p.Hint
}

// statusLine is the status as text: api.Client of github.com/ollama/ollama (v0.17.4,
// api/types.go:23 and 43) decodes `status` into a string, and shows nothing else of a
// 401.
func (p *Problem) statusLine() string {
	line := strconv.Itoa(p.Status) + " " + http.StatusText(p.Status)
	if p.Status == http.StatusUnauthorized {
		line += ": " + p.message()
	}
	return line
}

func (p *Problem) openAI() map[string]any {
	body := map[string]any{"message": p.message(), "type": p.openAIType(), "param": nil, "code": cmp.Or(p.SDKCode, p.Code)}
	if p.Param != "" {
		body["param"] = p.Param
	}
	return body
}

func (p *Problem) anthropic() map[string]any {
	body := map[string]any{}
	maps.Copy(body, p.Extra)
	body["type"] = p.anthropicType()
	body["message"] = p.message()
	body["code"] = p.Code
	body["hint"] = p.Hint
	if p.CodeNumber != 0 {
		body["code_number"] = p.CodeNumber
	}
	if p.Param != "" {
		body["param"] = p.Param
	}
	return body
}

// openAIType is the class of error that OpenAI's API and the engines that speak it name.
func (p *Problem) openAIType() string {
	switch {
	case p.Status == http.StatusUnauthorized:
		return "authentication_error"
	case p.Status == http.StatusForbidden:
		return "permission_error"
	case p.Status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case p.Status >= http.StatusInternalServerError:
		return "server_error"
	}
	return "invalid_request_error"
}

// statusOverloaded is Anthropic's own status for a server that is too busy.
const statusOverloaded = 529

// anthropicType is the class of error in https://docs.claude.com/en/api/errors.
func (p *Problem) anthropicType() string {
	switch p.Status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusGatewayTimeout:
		return "timeout_error"
	case http.StatusServiceUnavailable, statusOverloaded:
		return "overloaded_error"
	}
	if p.Status >= http.StatusInternalServerError {
		return "api_error"
	}
	return "invalid_request_error"
}

// HeaderShouldRetry tells the SDKs of OpenAI and Anthropic whether to send a request
// again; without it they go by the status.
const HeaderShouldRetry = "X-Should-Retry"

// IsFinal reports whether sending the same request again cannot help.
func (p *Problem) IsFinal() bool {
	if p.Final {
		return true
	}
	switch p.Status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return p.Status < http.StatusInternalServerError
}
