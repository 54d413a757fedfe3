package adapter

import (
	"encoding/json"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// maxCount bounds what an engine may say of an answer's tokens.
const maxCount = 1 << 40

// usage is what an engine said of a call's tokens. Later words win.
type usage struct {
	in, out, cached, reasoning count
	readCache, written         count // of Anthropic's: beside input_tokens, not in them
}

// count is a number that may not be there.
type count struct {
	n    int
	said bool
}

// UnmarshalJSON implements json.Unmarshaler. What is no number that can be a count is
// as if it was not there.
func (c *count) UnmarshalJSON(text []byte) error {
	var n float64
	if json.Unmarshal(text, &n) == nil && n >= 0 && n <= maxCount && string(text) != "null" {
		*c = count{int(n), true}
	}
	return nil
}

// take replaces a count by a later word.
func (c *count) take(later count) {
	if later.said {
		*c = later
	}
}

// details are the members of the two kinds of details.
type details struct {
	Cached    count `json:"cached_tokens"`
	Reasoning count `json:"reasoning_tokens"`
}

// read takes the usage of OpenAI's chat, of its responses, or of Anthropic's messages.
func (u *usage) read(raw json.RawMessage) {
	if !present(raw) {
		return
	}
	var said struct {
		PromptTokens     count   `json:"prompt_tokens"`
		CompletionTokens count   `json:"completion_tokens"`
		TotalTokens      count   `json:"total_tokens"`
		Reasoning        count   `json:"reasoning_tokens"` // SGLang's, beside the others
		PromptDetails    details `json:"prompt_tokens_details"`
		CompletionDetail details `json:"completion_tokens_details"`
		InputTokens      count   `json:"input_tokens"`
		OutputTokens     count   `json:"output_tokens"`
		InputDetails     details `json:"input_tokens_details"`
		OutputDetails    details `json:"output_tokens_details"`
		CacheRead        count   `json:"cache_read_input_tokens"`
		CacheCreation    count   `json:"cache_creation_input_tokens"`
	}
	if json.Unmarshal(raw, &said) != nil {
		return
	}
	if !said.PromptTokens.said && !said.InputTokens.said && !said.CompletionTokens.said && !said.OutputTokens.said {
		u.in.take(said.TotalTokens) // of embeddings: all of it was read
	}
	for _, c := range []count{said.PromptTokens, said.InputTokens} {
		u.in.take(c)
	}
	for _, c := range []count{said.CompletionTokens, said.OutputTokens} {
		u.out.take(c)
	}
	for _, c := range []count{said.PromptDetails.Cached, said.InputDetails.Cached} {
		u.cached.take(c)
	}
	for _, c := range []count{said.Reasoning, said.CompletionDetail.Reasoning, said.OutputDetails.Reasoning} {
		u.reasoning.take(c)
	}
	u.readCache.take(said.CacheRead)
	u.written.take(said.CacheCreation)
}

// into writes the figures down.
func (u usage) into(end *nodeapi.CallEnd) {
	end.TokensIn = u.in.n + u.readCache.n + u.written.n
	end.TokensOut, end.ReasoningOut = u.out.n, u.reasoning.n
	end.CachedIn = u.cached.n + u.readCache.n
}
