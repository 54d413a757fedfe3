package demoengine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"strings"
)

// created is the time of every answer: they are all the same.
const created = 1735689600

// openAIRequest is what chat and completions have in common.
type openAIRequest struct {
	sampling
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Seed                int64           `json:"seed"`
	Stop                json.RawMessage `json:"stop"`
	N                   *int            `json:"n"`
	Stream              bool            `json:"stream"`
	StreamOptions       struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

func (q openAIRequest) ask(prompt string) ask {
	return ask{prompt: prompt, tokens: max(orZero(q.MaxTokens), orZero(q.MaxCompletionTokens)), seed: q.Seed, stop: oneOrMany(q.Stop), choices: max(1, orZero(q.N))}
}

// outside gives the first number that is out of its range.
func (q openAIRequest) outside(more ...within) (name, message string) {
	return outside(append(append(q.ranges(2), integer("max_tokens", q.MaxTokens, 1, math.Inf(1)),
		integer("max_completion_tokens", q.MaxCompletionTokens, 1, math.Inf(1)), integer("n", q.N, 1, maxChoices)), more...)...)
}

// orZero is a number that may be absent.
func orZero(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// oneOrMany accepts both of OpenAI's forms: one text or a list. Anything else is none.
func oneOrMany(raw json.RawMessage) []string {
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	var one string
	if json.Unmarshal(raw, &one) != nil || one == "" {
		return nil
	}
	return []string{one}
}

// textOf is the text of a message: one string, or the text parts of a list.
func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
		// of a tool's result in messages
		Content json.RawMessage `json:"content"`
	}
	_ = json.Unmarshal(raw, &parts) // anything else has no text
	var out strings.Builder
	for _, p := range parts {
		switch {
		case p.Text != "":
			out.WriteString(p.Text)
		case len(p.Content) > 0:
			out.WriteString(textOf(p.Content))
		default:
			out.WriteString(" [" + p.Type + "] ")
		}
	}
	return out.String()
}

// id is a name that depends on the request alone.
func (a ask) id(prefix string) string {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte(a.prompt), uint64(a.seed)))
	return prefix + hex.EncodeToString(sum[:12])
}

// openAIUsage is the usage of chat, completions, embeddings and reranking.
type openAIUsage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
	PromptDetails    struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

func usageOf(w whole) *openAIUsage {
	u := &openAIUsage{PromptTokens: w.tokensIn, CompletionTokens: w.tokensOut(), TotalTokens: w.tokensIn + w.tokensOut()}
	u.CompletionDetails.Reasoning = w.thought()
	return u
}

// slot waits for one of the engine's slots; false: the client hung up.
func (e *engine) slot(ctx context.Context) (release func(), ok bool) {
	select {
	case e.slots <- struct{}{}:
		return func() { <-e.slots }, true
	case <-ctx.Done():
		return nil, false
	}
}

// answer makes the answers in a slot and sends each token; whole gives those that are
// not streamed. Refused requests, and clients that hang up, get no further.
func (e *engine) answer(w http.ResponseWriter, r *http.Request, a ask, emit func(part) error, end func(whole)) {
	if code, message := e.check(a); code != "" {
		failWith(w, http.StatusBadRequest, code, message)
		return
	}
	release, ok := e.slot(r.Context())
	if !ok {
		return
	}
	defer release()
	if done, err := e.produce(r.Context(), a, emit); err == nil {
		end(done)
	}
}

// unstreamed is the emit of answers in one piece.
func unstreamed(part) error { return nil }

// failWith is an error of OpenAI's kind with a code for programs.
func failWith(w http.ResponseWriter, status int, code, message string) {
	failOn(w, status, code, message, nil)
}

// failOn is failWith that names the member of the request; nil for none.
func failOn(w http.ResponseWriter, status int, code, message string, param any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// This fails when the client has closed the connection.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"error": map[string]any{"message": message, "type": "invalid_request_error", "param": param, "code": code},
	})
}
