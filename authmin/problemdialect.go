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
	DialectAnthropic                // `"type": "error", "error": {type, message}`: /v1/messages and below; lists of models for Anthropic's clients
	DialectOllama                   // `"error": "message"`: below /api/
)

// headerAnthropic is on every request of Anthropic's SDKs, and on none of others.
const headerAnthropic = "Anthropic-Version"

// DialectOf returns the dialect of a request's path, as the client sent it. The lists of
// models are at one path for the clients of two APIs; a header tells them apart.
func DialectOf(path string, h http.Header) Dialect {
	switch {
	case path == "/v1/messages" || strings.HasPrefix(path, "/v1/messages/"):
		return DialectAnthropic
	case path == "/v1/models" || strings.HasPrefix(path, "/v1/models/"):
		if h.Get(headerAnthropic) != "" {
			return DialectAnthropic
		}
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

// answerIDs are the fields of an answer that hold the correlation id: our own, and those
// whose value SDKs show with an error. Request-Id is Anthropic's.
var answerIDs = [...]string{HeaderCorrelationID, "X-Request-Id", "Request-Id"}

// IDHeaders names the fields of an answer that hold the correlation id.
func (d Dialect) IDHeaders() []string {
	if d == DialectAnthropic {
		return answerIDs[:]
	}
	return answerIDs[:len(answerIDs)-1]
}

// Body is the body of an error answer with this correlation id: the members of the
// problem and beside them `error`, which SDKs show. Ollama's clients want text in
// `status`, and Anthropic's another value in `type`: for those the members are in `error`.
func (p *Problem) Body(d Dialect, id string) []byte {
	var encoded []byte
	var err error
	switch d {
	case DialectAnthropic:
		if encoded, err = p.encode(p.anthropic()); err == nil {
			encoded, err = json.Marshal(anthropicBody{Error: encoded, RequestID: id, Type: "error"})
		}
	case DialectOllama:
		body := p.members(id)
		body.Error, body.Status = p.message(), p.statusLine()
		encoded, err = p.encode(body)
	default:
		body := p.members(id)
		body.Error, body.Status = p.openAI(), p.Status
		encoded, err = p.encode(body)
	}
	if err != nil { // an Extra that is no JSON: a defect of ours
		return []byte(`{"type":"about:blank","title":"Internal error","status":500,"code":"INTERNAL"}`)
	}
	return encoded
}

// problemBody has the members of RFC 9457 and our own. Members are in the order of their
// names in every body: a refusal is encoded for each request of an attacker, and costs
// less than with maps.
type problemBody struct {
	Code          string `json:"code"`
	CodeNumber    int    `json:"code_number,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"`
	Error         any    `json:"error"`
	Hint          string `json:"hint"`
	Status        any    `json:"status"`
	Title         string `json:"title"`
	Type          string `json:"type"`
}

type openAIError struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Param   *string `json:"param"`
	Type    string  `json:"type"`
}

type anthropicBody struct {
	Error     json.RawMessage `json:"error"`
	RequestID string          `json:"request_id,omitempty"`
	Type      string          `json:"type"`
}

type anthropicError struct {
	Code       string `json:"code"`
	CodeNumber int    `json:"code_number,omitempty"`
	Hint       string `json:"hint"`
	Message    string `json:"message"`
	Param      string `json:"param,omitempty"`
	Type       string `json:"type"`
}

// encode gives the JSON of these members and of Extra, whose own names give way.
func (p *Problem) encode(members any) ([]byte, error) {
	encoded, err := json.Marshal(members)
	if err != nil || len(p.Extra) == 0 {
		return encoded, err
	}
	var own map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &own); err != nil {
		return nil, err
	}
	body := maps.Clone(p.Extra)
	for name, value := range own {
		body[name] = value
	}
	return json.Marshal(body)
}

func (p *Problem) members(id string) *problemBody {
	return &problemBody{
		Code: p.Code, CodeNumber: p.CodeNumber, CorrelationID: id, Hint: p.Hint, Title: p.Title,
		Type: "urn:llorch:problem:" + strings.ToLower(p.Code),
	}
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

func (p *Problem) openAI() *openAIError {
	body := &openAIError{Code: cmp.Or(p.SDKCode, p.Code), Message: p.message(), Type: p.openAIType()}
	if p.Param != "" {
		body.Param = &p.Param
	}
	return body
}

func (p *Problem) anthropic() *anthropicError {
	return &anthropicError{Code: p.Code, CodeNumber: p.CodeNumber, Hint: p.Hint, Message: p.message(), Param: p.Param, Type: p.anthropicType()}
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
