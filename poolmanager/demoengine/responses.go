package demoengine

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
)

// responsesRequest is POST /v1/responses.
type responsesRequest struct {
	Input        json.RawMessage `json:"input"`
	Instructions json.RawMessage `json:"instructions"`
	Tools        []typed         `json:"tools"`
	ToolChoice   json.RawMessage `json:"tool_choice"`
	Text         struct {
		Format typed `json:"format"`
	} `json:"text"`
	Reasoning struct {
		Effort string `json:"effort"`
	} `json:"reasoning"`
	MaxOutputTokens *int     `json:"max_output_tokens"`
	Include         []string `json:"include"`
	TopLogprobs     *int     `json:"top_logprobs"`
	sampling
	Stream       bool            `json:"stream"`
	Store        *bool           `json:"store"`
	Previous     string          `json:"previous_response_id"`
	Metadata     json.RawMessage `json:"metadata"`
	Parallel     *bool           `json:"parallel_tool_calls"`
	MaxToolCalls *int            `json:"max_tool_calls"`
	CacheKey     *string         `json:"prompt_cache_key"`
	SafetyID     *string         `json:"safety_identifier"`
	Truncation   string          `json:"truncation"`
	User         *string         `json:"user"`
}

// typed is a tool, or a format, as it was sent.
type typed struct {
	Type       string          `json:"type"`
	Name       string          `json:"name"`
	Parameters json.RawMessage `json:"parameters"`
	Schema     json.RawMessage `json:"schema"`
	raw        json.RawMessage
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *typed) UnmarshalJSON(text []byte) error {
	type plain typed
	if err := json.Unmarshal(text, (*plain)(t)); err != nil {
		return err
	}
	t.raw = bytes.Clone(text)
	return nil
}

// inputItem is a turn of the input.
type inputItem struct {
	Type    string          `json:"type"`
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
	Output  json.RawMessage `json:"output"`
}

// items is the input as a list, as input_items gives it.
func (q responsesRequest) items() []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(q.Input, &list) == nil {
		return list
	}
	return []json.RawMessage{encoded(map[string]any{
		"type": "message", "role": "user", "content": []any{map[string]any{"type": "input_text", "text": textOf(q.Input)}},
	})}
}

func (q responsesRequest) ask(before string) ask {
	var prompt strings.Builder
	prompt.WriteString(before + textOf(q.Instructions))
	a := ask{tokens: orZero(q.MaxOutputTokens), choices: 1}
	for i, raw := range q.items() {
		var item inputItem
		_ = json.Unmarshal(raw, &item) // another form has no text
		if item.Role != "" || item.Type == "message" {
			a.refuse(fmt.Sprintf("input[%d].role", i), wrongRole(item.Role, responseRoles))
		}
		a.told = item.Type == "function_call_output"
		prompt.WriteString("\n" + item.Role + ": " + textOf(item.Content) + textOf(item.Output))
	}
	a.prompt = prompt.String()
	for _, t := range q.Tools {
		if t.Type == "function" {
			a.offer(t.Name, t.Parameters)
		}
	}
	a.choose(q.ToolChoice)
	a.format("text.format", q.Text.Format.Type, q.Text.Format.Schema)
	a.reasoning = q.Reasoning.Effort != "" && q.Reasoning.Effort != "none"
	return a
}

// response is an answer.
type response struct {
	ID          string           `json:"id"`
	Object      string           `json:"object"`
	CreatedAt   int64            `json:"created_at"`
	CompletedAt *int64           `json:"completed_at"`
	Status      string           `json:"status"`
	Background  bool             `json:"background"`
	Access      *struct{}        `json:"access_programs"`
	Error       *struct{}        `json:"error"`
	Incomplete  *incomplete      `json:"incomplete_details"`
	Model       string           `json:"model"`
	Output      []map[string]any `json:"output"`
	Usage       *responseUsage   `json:"usage"`
	responseSettings
}

type incomplete struct {
	Reason string `json:"reason"`
}

type responseUsage struct {
	InputTokens  int `json:"input_tokens"`
	InputDetails struct {
		Cached  int `json:"cached_tokens"`
		Written int `json:"cache_write_tokens"`
	} `json:"input_tokens_details"`
	OutputTokens  int `json:"output_tokens"`
	OutputDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	TotalTokens int `json:"total_tokens"`
}

// readResponses reads a request and what was said before it, or answers with an error.
func (e *engine) readResponses(w http.ResponseWriter, r *http.Request) (q responsesRequest, before string, ok bool) {
	if !read(w, r, &q) {
		return q, "", false
	}
	name, message := outside(append(q.ranges(2), integer("max_output_tokens", q.MaxOutputTokens, 1, math.Inf(1)), integer("top_logprobs", q.TopLogprobs, 0, maxTopProbs))...)
	before, known := e.memory.prompt(q.Previous)
	switch {
	case name != "":
		failValue(w, name, message)
	case len(q.Input) == 0 || string(q.Input) == "null":
		failWith(w, http.StatusBadRequest, "missing_required_parameter", "input is missing")
	case !known:
		failWith(w, http.StatusNotFound, "previous_response_not_found", "previous_response_id names no response that is kept here")
	default:
		return q, before, true
	}
	return q, "", false
}

// countInputTokens is POST /v1/responses/input_tokens.
func (e *engine) countInputTokens(w http.ResponseWriter, r *http.Request) {
	if q, before, ok := e.readResponses(w, r); ok {
		reply(w, map[string]any{"object": "response.input_tokens", "input_tokens": countTokens(q.ask(before).prompt)})
	}
}

func (e *engine) responses(w http.ResponseWriter, r *http.Request) {
	q, before, ok := e.readResponses(w, r)
	if !ok {
		return
	}
	s := &responseStream{a: q.ask(before), answer: response{
		// Other than its text, a response's name is its own: what is kept has to be told apart.
		ID: "resp_" + strings.ToLower(rand.Text()), Object: "response", CreatedAt: created, Status: "in_progress", Model: e.settings.model,
		Output: []map[string]any{}, responseSettings: q.settings(),
	}, probs: slices.Contains(q.Include, "message.output_text.logprobs"), likely: []tokenProb{}}
	if q.Stream {
		s.out = newEventWriter(w)
	}
	e.answer(w, r, s.a, s.token, func(done whole) {
		s.finish(done)
		last := s.record("response."+s.answer.Status, map[string]any{"response": s.answer})
		if s.answer.Store {
			e.memory.keep(s.answer.ID, kept{prompt: s.a.prompt + "\n" + s.text, answer: encoded(s.answer), items: numbered(q.items(), s.answer.ID), events: s.events})
		}
		if !q.Stream {
			reply(w, s.answer)
			return
		}
		_ = s.send(last) // a failure means that the client is gone
	})
}
