package adapter

import (
	"bytes"
	"encoding/json"
	"slices"
)

// chunk is one event of any of the dialects.
type chunk struct {
	// llama.cpp
	Content         *string `json:"content"`
	Stop            bool    `json:"stop"`
	StopType        string  `json:"stop_type"`
	StoppedLimit    bool    `json:"stopped_limit"`
	TokensPredicted int     `json:"tokens_predicted"`
	TokensEvaluated int     `json:"tokens_evaluated"`
	// OpenAI
	Choices []choice `json:"choices"`
	Usage   *struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
	} `json:"usage"`
	// both
	Object string          `json:"object"`
	Error  json.RawMessage `json:"error"`
}

// choice is one of the answers that the OpenAI dialect can have. Message is how a
// whole answer has its text: in a stream it would be left out.
type choice struct {
	Text         string          `json:"text"`
	Delta        delta           `json:"delta"`
	Message      json.RawMessage `json:"message"`
	Error        json.RawMessage `json:"error"`
	FinishReason string          `json:"finish_reason"`
}

// delta is what an event adds to a chat's answer. Only the text is passed on; the
// rest shows that the engine works.
type delta struct {
	Content          string          `json:"content"`
	ReasoningContent json.RawMessage `json:"reasoning_content"` // llama.cpp, vLLM, SGLang
	Reasoning        json.RawMessage `json:"reasoning"`         // Ollama, newer vLLM
	ToolCalls        json.RawMessage `json:"tool_calls"`
	Refusal          json.RawMessage `json:"refusal"` // text in place of the answer's
}

// moves reports whether the event says something besides text.
func (d delta) moves() bool {
	return says(d.ReasoningContent) || says(d.Reasoning) || says(d.ToolCalls)
}

// says reports whether a member is there and not empty.
func says(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", `""`, "[]", "{}":
		return false
	}
	return true
}

// present reports whether a member is there.
func present(raw json.RawMessage) bool {
	return len(raw) > 0 && !bytes.Equal(raw, []byte("null"))
}

// known reports whether an event is one of the dialect's. An event whose object is "error"
// is not.
func (r *reader) known(c chunk) bool {
	if c.Object == "error" {
		return false
	}
	if r.llama {
		return c.Content != nil || c.Stop
	}
	if slices.ContainsFunc(c.Choices, func(c choice) bool { return r.misplaced(c) }) {
		return false
	}
	return c.Choices != nil || c.Usage != nil
}

// misplaced reports whether an answer has text, or an error, where the route that was
// asked has none: a whole answer inside an event, the other route's text, a refusal.
// It would be left out, and the rest told as whole.
func (r *reader) misplaced(c choice) bool {
	if present(c.Message) || present(c.Error) || says(c.Delta.Refusal) {
		return true
	}
	return r.chat && c.Text != "" || !r.chat && c.Delta.Content != ""
}
