package adapter

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
)

// maxLineBytes bounds one event of an engine; a token is a few hundred bytes,
// llama.cpp's last event repeats the settings and the prompt (at most 1 MiB).
const maxLineBytes = 4 << 20

// reader turns an engine's event stream into pieces of text and a result.
type reader struct {
	chat  bool
	llama bool
	emit  func(string) error

	alike  alike
	result Result
	pieces int
	ended  bool // the engine said that the answer is complete
}

// chunk is one event of any of the dialects.
type chunk struct {
	// llama.cpp
	Content         string `json:"content"`
	Stop            bool   `json:"stop"`
	StopType        string `json:"stop_type"`
	TokensPredicted int    `json:"tokens_predicted"`
	TokensEvaluated int    `json:"tokens_evaluated"`
	// OpenAI
	Choices []choice `json:"choices"`
	Usage   *struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
	} `json:"usage"`
	// both
	Error json.RawMessage `json:"error"`
}

// choice is one of the answers that the OpenAI dialect can have.
type choice struct {
	Text  string `json:"text"`
	Delta struct {
		Content string `json:"content"`
	} `json:"delta"`
	FinishReason string `json:"finish_reason"`
}

func (r *reader) read(ctx context.Context, body io.Reader) (Result, error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 4096), maxLineBytes)
	for lines.Scan() {
		done, err := r.line(lines.Bytes())
		if err != nil {
			return r.total(), err
		}
		if done {
			return r.total(), nil
		}
	}
	err := lines.Err()
	if err == nil && r.ended {
		return r.total(), nil
	}
	if err == nil {
		err = errors.New("the stream ended before the answer")
	}
	return r.total(), failure(ctx, ClassReset, "the engine's stream broke", err)
}

func (r *reader) line(line []byte) (done bool, err error) {
	if rest, ok := bytes.CutPrefix(line, []byte("error:")); ok { // llama.cpp before 2025
		return false, &Error{Class: ClassFailed, Message: message(rest)}
	}
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return false, nil
	}
	data = bytes.TrimSpace(data)
	if bytes.Equal(data, []byte("[DONE]")) {
		return true, nil
	}
	if text, ok := r.alike.text(data); ok {
		return false, r.piece(text)
	}
	var c chunk
	if err := json.Unmarshal(data, &c); err != nil {
		return false, &Error{Class: ClassFailed, Message: "the engine sent an event that is not JSON"}
	}
	if len(c.Error) > 0 && !bytes.Equal(c.Error, []byte("null")) {
		return false, &Error{Class: ClassFailed, Message: message(data)}
	}
	if text, ok := r.only(c); ok {
		r.alike.learn(data, text, r.decode)
	}
	if r.llama {
		return r.llamaChunk(c)
	}
	return false, r.openAIChunk(c)
}

// only gives the text of an event that says nothing else.
func (r *reader) only(c chunk) (text string, ok bool) {
	switch {
	case len(c.Error) > 0:
		return "", false
	case r.llama:
		return c.Content, !c.Stop
	case c.Usage != nil || len(c.Choices) != 1 || c.Choices[0].FinishReason != "":
		return "", false
	}
	return r.choice(c.Choices[0]), true
}

func (r *reader) decode(event []byte) (text string, ok bool) {
	var c chunk
	if json.Unmarshal(event, &c) != nil {
		return "", false
	}
	return r.only(c)
}

func (r *reader) choice(c choice) string {
	if r.chat {
		return c.Delta.Content
	}
	return c.Text
}

func (r *reader) llamaChunk(c chunk) (done bool, err error) {
	if err := r.piece(c.Content); err != nil || !c.Stop {
		return false, err
	}
	r.result = Result{TokensIn: c.TokensEvaluated, TokensOut: c.TokensPredicted, FinishReason: "stop"}
	if c.StopType == "limit" {
		r.result.FinishReason = "length"
	}
	return true, nil
}

func (r *reader) openAIChunk(c chunk) error {
	if c.Usage != nil {
		r.result.TokensIn, r.result.TokensOut = c.Usage.PromptTokens, c.Usage.CompletionTokens
	}
	for _, choice := range c.Choices {
		if err := r.piece(r.choice(choice)); err != nil {
			return err
		}
		if choice.FinishReason != "" {
			r.result.FinishReason, r.ended = choice.FinishReason, true
		}
	}
	return nil
}

func (r *reader) piece(text string) error {
	if text == "" {
		return nil
	}
	r.pieces++
	return r.emit(text)
}

func (r *reader) total() Result {
	if r.result.TokensOut == 0 {
		r.result.TokensOut = r.pieces
	}
	if r.result.FinishReason == "" {
		r.result.FinishReason = "stop"
	}
	return r.result
}
