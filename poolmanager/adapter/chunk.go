package adapter

import (
	"bytes"
	"encoding/json"
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
	Error json.RawMessage `json:"error"`
}

// choice is one of the answers that the OpenAI dialect can have. Message is how a
// whole answer has its text: in a stream it would be left out.
type choice struct {
	Text         string          `json:"text"`
	Delta        delta           `json:"delta"`
	Message      json.RawMessage `json:"message"`
	FinishReason string          `json:"finish_reason"`
}

// delta is what an event adds to a chat's answer. Only the text is passed on; the
// rest shows that the engine works.
type delta struct {
	Content          string          `json:"content"`
	ReasoningContent json.RawMessage `json:"reasoning_content"` // llama.cpp, vLLM, SGLang
	Reasoning        json.RawMessage `json:"reasoning"`         // Ollama, newer vLLM
	ToolCalls        json.RawMessage `json:"tool_calls"`
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

// known reports whether an event is one of the dialect's. A whole answer inside an
// event is none: its text is where that of no event is.
func (r *reader) known(c chunk) bool {
	if r.llama {
		return c.Content != nil || c.Stop
	}
	for _, choice := range c.Choices {
		if present(choice.Message) {
			return false
		}
	}
	return c.Choices != nil || c.Usage != nil
}
