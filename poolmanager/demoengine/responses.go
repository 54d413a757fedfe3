package demoengine

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
)

// responsesRequest is POST /v1/responses.
type responsesRequest struct {
	Input        json.RawMessage `json:"input"`
	Instructions string          `json:"instructions"`
	Tools        []struct {
		Type       string          `json:"type"`
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	} `json:"tools"`
	ToolChoice json.RawMessage `json:"tool_choice"`
	Text       struct {
		Format struct {
			Type   string          `json:"type"`
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"text"`
	Reasoning struct {
		Effort string `json:"effort"`
	} `json:"reasoning"`
	MaxOutputTokens int             `json:"max_output_tokens"`
	Stream          bool            `json:"stream"`
	Store           *bool           `json:"store"`
	Previous        string          `json:"previous_response_id"`
	Metadata        json.RawMessage `json:"metadata"`
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
	prompt.WriteString(before + q.Instructions)
	a := ask{tokens: q.MaxOutputTokens, choices: 1, choice: chosen(q.ToolChoice)}
	for _, raw := range q.items() {
		var item inputItem
		_ = json.Unmarshal(raw, &item) // another form has no text
		a.told = item.Type == "function_call_output"
		prompt.WriteString("\n" + item.Role + ": " + textOf(item.Content) + textOf(item.Output))
	}
	a.prompt = prompt.String()
	for _, t := range q.Tools {
		if t.Type == "function" {
			a.tools = append(a.tools, tool{t.Name, t.Parameters})
		}
	}
	switch q.Text.Format.Type {
	case "json_object":
		a.schema = anyObject
	case "json_schema":
		a.schema = q.Text.Format.Schema
	}
	a.reasoning = q.Reasoning.Effort != "" && q.Reasoning.Effort != "none"
	return a
}

// response is an answer.
type response struct {
	ID         string           `json:"id"`
	Object     string           `json:"object"`
	CreatedAt  int64            `json:"created_at"`
	Status     string           `json:"status"`
	Error      *struct{}        `json:"error"`
	Incomplete *incomplete      `json:"incomplete_details"`
	Model      string           `json:"model"`
	Output     []map[string]any `json:"output"`
	Previous   *string          `json:"previous_response_id"`
	Parallel   bool             `json:"parallel_tool_calls"`
	ToolChoice string           `json:"tool_choice"`
	Tools      []any            `json:"tools"`
	Metadata   json.RawMessage  `json:"metadata,omitempty"`
	Usage      *responseUsage   `json:"usage"`
}

type incomplete struct {
	Reason string `json:"reason"`
}

type responseUsage struct {
	InputTokens  int `json:"input_tokens"`
	InputDetails struct {
		Cached int `json:"cached_tokens"`
	} `json:"input_tokens_details"`
	OutputTokens  int `json:"output_tokens"`
	OutputDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	TotalTokens int `json:"total_tokens"`
}

func (e *engine) responses(w http.ResponseWriter, r *http.Request) {
	var q responsesRequest
	if !read(w, r, &q) {
		return
	}
	before, known := e.memory.prompt(q.Previous)
	switch {
	case len(q.Input) == 0 || string(q.Input) == "null":
		failWith(w, http.StatusBadRequest, "missing_required_parameter", "input is missing")
		return
	case !known:
		failWith(w, http.StatusNotFound, "previous_response_not_found", "previous_response_id names no response that is kept here")
		return
	}
	s := &responseStream{a: q.ask(before), answer: response{
		// Other than its text, a response's name is its own: what is kept has to be told apart.
		ID: "resp_" + strings.ToLower(rand.Text()), Object: "response", CreatedAt: created, Status: "in_progress", Model: e.settings.model,
		Output: []map[string]any{}, Parallel: true, ToolChoice: "auto", Tools: []any{}, Metadata: q.Metadata,
	}}
	if q.Previous != "" {
		s.answer.Previous = &q.Previous
	}
	keep := func() {
		if q.Store == nil || *q.Store {
			e.memory.keep(s.answer.ID, kept{prompt: s.a.prompt + "\n" + s.text, answer: encoded(s.answer), items: q.items()})
		}
	}
	if !q.Stream {
		s.out = nil
		e.answer(w, r, s.a, s.send, func(done whole) {
			s.finish(done)
			keep()
			reply(w, s.answer)
		})
		return
	}
	s.out = newEventWriter(w)
	e.answer(w, r, s.a, s.send, func(done whole) {
		s.finish(done)
		keep()
		_ = s.event("response."+s.answer.Status, map[string]any{"response": s.answer}) // a failure means that the client is gone
	})
}
