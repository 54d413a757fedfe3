package httpapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// ChatRequest is the part of OpenAI's chat completion request that we honour.
// Unlike our own routes it ignores what it does not know, as OpenAI's clients
// send more with every version; what it knows and cannot do is refused.
type ChatRequest struct {
	_                   struct{}       `additionalProperties:"true"`
	Model               string         `json:"model" minLength:"1" maxLength:"256"`
	Messages            []ChatMessage  `json:"messages" minItems:"1" maxItems:"1024"`
	MaxTokens           int            `json:"max_tokens,omitempty" minimum:"0" maximum:"1048576"`
	MaxCompletionTokens int            `json:"max_completion_tokens,omitempty" minimum:"0" maximum:"1048576"`
	Seed                *int64         `json:"seed,omitempty"`
	Temperature         *float64       `json:"temperature,omitempty" minimum:"0" maximum:"10"`
	TopP                *float64       `json:"top_p,omitempty" minimum:"0" maximum:"1"`
	Stop                Texts          `json:"stop,omitempty"`
	Stream              bool           `json:"stream,omitempty"`
	StreamOptions       *StreamOptions `json:"stream_options,omitempty"`
	N                   int            `json:"n,omitempty" minimum:"0" maximum:"1" doc:"Only one choice"`
	UnsupportedChat
}

// ChatMessage is one turn.
type ChatMessage struct {
	_       struct{} `additionalProperties:"true"`
	Role    string   `json:"role" enum:"system,developer,user,assistant,tool"`
	Content Content  `json:"content"`
	UnsupportedTurn
}

// CompletionRequest is the part of OpenAI's older request that we honour.
type CompletionRequest struct {
	_             struct{}       `additionalProperties:"true"`
	Model         string         `json:"model" minLength:"1" maxLength:"256"`
	Prompt        string         `json:"prompt" minLength:"1"`
	MaxTokens     int            `json:"max_tokens,omitempty" minimum:"0" maximum:"1048576"`
	Seed          *int64         `json:"seed,omitempty"`
	Temperature   *float64       `json:"temperature,omitempty" minimum:"0" maximum:"10"`
	TopP          *float64       `json:"top_p,omitempty" minimum:"0" maximum:"1"`
	Stop          Texts          `json:"stop,omitempty"`
	Stream        bool           `json:"stream,omitempty"`
	StreamOptions *StreamOptions `json:"stream_options,omitempty"`
	N             int            `json:"n,omitempty" minimum:"0" maximum:"1" doc:"Only one choice"`
	UnsupportedCompletion
}

// StreamOptions asks for the usage at the end of a stream.
type StreamOptions struct {
	_            struct{} `additionalProperties:"true"`
	IncludeUsage bool     `json:"include_usage,omitempty"`
}

func (r ChatRequest) task() (orchestrator.TaskRequest, error) {
	t := orchestrator.TaskRequest{
		ModelRef: r.Model, MaxTokens: cmp.Or(r.MaxCompletionTokens, r.MaxTokens), Seed: r.Seed,
		Temperature: r.Temperature, TopP: r.TopP, Stop: r.Stop,
	}
	if err := refuseUnsupported(unsupportedChat, r.UnsupportedChat, "body."); err != nil {
		return t, err
	}
	for i, m := range r.Messages {
		if err := refuseUnsupported(unsupportedTurn, m.UnsupportedTurn, fmt.Sprintf("body.messages[%d].", i)); err != nil {
			return t, err
		}
		t.Messages = append(t.Messages, nodeapi.Message{Role: m.Role, Content: string(m.Content)})
	}
	return t, checkStop(r.Stop)
}

func (r CompletionRequest) task() (orchestrator.TaskRequest, error) {
	t := orchestrator.TaskRequest{
		ModelRef: r.Model, MaxTokens: r.MaxTokens, Seed: r.Seed, Temperature: r.Temperature, TopP: r.TopP,
		Stop: r.Stop, Prompt: r.Prompt,
	}
	if err := refuseUnsupported(unsupportedCompletion, r.UnsupportedCompletion, "body."); err != nil {
		return t, err
	}
	return t, checkStop(r.Stop)
}

// checkStop bounds stop sequences; OpenAI allows four, we as many as a task.
func checkStop(stop Texts) error {
	if len(stop) > 16 {
		return newProblem(http.StatusUnprocessableEntity, "INVALID_FIELD", "at most 16 stop sequences")
	}
	return nil
}

func (r ChatRequest) options(object string) openaiOptions {
	return openaiOptions{object: object, model: r.Model, stream: r.Stream, usage: r.StreamOptions != nil && r.StreamOptions.IncludeUsage}
}

func (r CompletionRequest) options(object string) openaiOptions {
	return openaiOptions{object: object, model: r.Model, stream: r.Stream, usage: r.StreamOptions != nil && r.StreamOptions.IncludeUsage}
}

// Texts is a string or a list of strings.
type Texts []string

// Schema is for huma: one of the two.
func (Texts) Schema(huma.Registry) *huma.Schema {
	text := &huma.Schema{Type: huma.TypeString}
	return &huma.Schema{OneOf: []*huma.Schema{text, {Type: huma.TypeArray, Items: text}}}
}

// UnmarshalJSON takes either. Some clients send null for none.
func (t *Texts) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*t = nil
		return nil
	}
	var one string
	if json.Unmarshal(text, &one) == nil {
		*t = Texts{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

// Content is a string or a list of text parts.
type Content string

// Schema is for huma: one of the two.
func (Content) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeString},
		{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}},
	}}
}

// UnmarshalJSON takes either, and refuses parts that are not text.
func (c *Content) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, (*string)(c)) == nil {
		return nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return errors.New("only text parts are understood")
		}
		b.WriteString(p.Text)
	}
	*c = Content(b.String())
	return nil
}

type openaiModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	Ready   bool   `json:"ready" doc:"A pool serves it now"`
	Reason  string `json:"reason,omitempty" doc:"Why none does"`
}

type openaiModels struct {
	Object string        `json:"object"`
	Data   []openaiModel `json:"data" nullable:"false"`
}

type openaiUsage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

type openaiError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
}

func openaiType(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case status >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}
