package demoengine

import (
	"cmp"
	"encoding/json"
)

// responseSettings is what a response repeats of its request, or the default of what the
// request leaves out. Clients with strict types read all of it.
type responseSettings struct {
	Instructions    json.RawMessage `json:"instructions"`
	MaxOutputTokens *int            `json:"max_output_tokens"`
	MaxToolCalls    *int            `json:"max_tool_calls"`
	Metadata        json.RawMessage `json:"metadata"`
	Parallel        bool            `json:"parallel_tool_calls"`
	Previous        *string         `json:"previous_response_id"`
	CacheKey        *string         `json:"prompt_cache_key"`
	Reasoning       map[string]any  `json:"reasoning"`
	SafetyID        *string         `json:"safety_identifier"`
	ServiceTier     string          `json:"service_tier"`
	Store           bool            `json:"store"`
	Temperature     float64         `json:"temperature"`
	Text            json.RawMessage `json:"text"`
	ToolChoice      json.RawMessage `json:"tool_choice"`
	Tools           []any           `json:"tools"`
	TopLogprobs     int             `json:"top_logprobs"`
	TopP            float64         `json:"top_p"`
	Truncation      string          `json:"truncation"`
	User            *string         `json:"user"`
}

// settings are those of a request.
func (q responsesRequest) settings() responseSettings {
	s := responseSettings{
		Instructions: orJSON(q.Instructions, "null"), MaxOutputTokens: q.MaxOutputTokens, MaxToolCalls: q.MaxToolCalls,
		Metadata: orJSON(q.Metadata, "{}"), Parallel: orDefault(q.Parallel, true), CacheKey: q.CacheKey,
		Reasoning: map[string]any{"effort": nil, "summary": nil}, SafetyID: q.SafetyID, ServiceTier: "default",
		Store: orDefault(q.Store, true), Temperature: orDefault(q.Temperature, 1), Text: json.RawMessage(`{"format":{"type":"text"}}`),
		ToolChoice: orJSON(q.ToolChoice, `"auto"`), Tools: []any{}, TopLogprobs: orZero(q.TopLogprobs), TopP: orDefault(q.TopP, 1),
		Truncation: cmp.Or(q.Truncation, "disabled"), User: q.User,
	}
	if q.Previous != "" {
		s.Previous = &q.Previous
	}
	if q.Reasoning.Effort != "" {
		s.Reasoning["effort"] = q.Reasoning.Effort
	}
	if q.Text.Format.Type != "" {
		s.Text = encoded(map[string]any{"format": filled(q.Text.Format.raw, map[string]any{"description": nil, "strict": false})})
	}
	for _, t := range q.Tools {
		defaults := map[string]any{}
		if t.Type == "function" {
			defaults = map[string]any{"description": nil, "parameters": nil, "strict": true}
		}
		s.Tools = append(s.Tools, filled(t.raw, defaults))
	}
	return s
}

// filled is an object with what it leaves out.
func filled(raw json.RawMessage, defaults map[string]any) map[string]any {
	members := map[string]json.RawMessage{}
	_ = json.Unmarshal(raw, &members) // it was read before
	for name, value := range members {
		defaults[name] = value
	}
	return defaults
}

// orDefault is a value that may be absent.
func orDefault[T any](value *T, or T) T {
	if value == nil {
		return or
	}
	return *value
}

// orJSON is a member that may be absent or null.
func orJSON(raw json.RawMessage, or string) json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage(or)
	}
	return raw
}

// numbered gives the items of an input what a response's items have: an id, and a content
// of parts.
func numbered(items []json.RawMessage, response string) []json.RawMessage {
	all := make([]json.RawMessage, len(items))
	for i, raw := range items {
		item := filled(raw, map[string]any{"id": "in_" + response + "_" + string(encoded(i)), "type": "message", "status": "completed"})
		var text string
		if content, ok := item["content"].(json.RawMessage); ok && json.Unmarshal(content, &text) == nil {
			kind := "input_text"
			if string(encoded(item["role"])) == `"assistant"` {
				kind = "output_text"
			}
			item["content"] = []any{map[string]any{"type": kind, "text": text, "annotations": []any{}, "logprobs": []any{}}}
			if kind == "input_text" {
				item["content"] = []any{map[string]any{"type": kind, "text": text}}
			}
		}
		all[i] = encoded(item)
	}
	return all
}
