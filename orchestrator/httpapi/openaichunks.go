package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// openaiOptions is which dialect a conversation speaks.
type openaiOptions struct {
	object string // chat.completion or text_completion
	model  string
	stream bool
	usage  bool // one more chunk with the usage
}

type openaiText struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content"`
}

type openaiChoice struct {
	Index        int         `json:"index"`
	Message      *openaiText `json:"message,omitempty"`
	Delta        any         `json:"delta,omitempty"`
	Text         *string     `json:"text,omitempty"`
	FinishReason *string     `json:"finish_reason"`
}

type openaiAnswer struct {
	ID      string         `json:"id"`
	Object  string         `json:"object"`
	Created int64          `json:"created"`
	Model   string         `json:"model"`
	Choices []openaiChoice `json:"choices"`
	Usage   *openaiUsage   `json:"usage,omitempty"`
}

func (o openaiOptions) isChat() bool { return o.object == "chat.completion" }

func (o openaiOptions) frame(c *conversation, choices ...openaiChoice) openaiAnswer {
	a := openaiAnswer{ID: "cmpl-" + c.id, Object: o.object, Created: c.created, Model: o.model, Choices: choices}
	if o.isChat() {
		a.ID = "chat" + a.ID
	}
	if o.isChat() && o.stream {
		a.Object = "chat.completion.chunk"
	}
	if a.Choices == nil {
		a.Choices = []openaiChoice{}
	}
	return a
}

// answer is the whole answer of a call that does not stream.
func (o openaiOptions) answer(c *conversation, text string, end ended) openaiAnswer {
	choice := openaiChoice{FinishReason: &end.reason, Text: &text}
	if o.isChat() {
		choice = openaiChoice{FinishReason: &end.reason, Message: &openaiText{"assistant", text}}
	}
	a := o.frame(c, choice)
	a.Usage = &end.usage
	return a
}

// first is the chunk that names the role; completions have none.
func (o openaiOptions) first(c *conversation) any {
	if !o.isChat() {
		return nil
	}
	return o.frame(c, openaiChoice{Delta: openaiText{Role: "assistant"}})
}

// chunk gives what stands before and after a token's text, a JSON string, in its
// chunk: all chunks of a stream are alike but for that.
func (o openaiOptions) chunk(c *conversation) (before, after []byte, err error) {
	text := "text" // after the caller's words, of which the model is one
	chunk := o.frame(c, openaiChoice{Text: &text})
	if o.isChat() {
		chunk = o.frame(c, openaiChoice{Delta: openaiText{Content: text}})
	}
	whole, err := json.Marshal(chunk)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding chunk: %w", err)
	}
	at := bytes.LastIndex(whole, []byte(`:"text"`)) + 1
	return whole[:at], whole[at+len(`"text"`):], nil
}

func (o openaiOptions) last(c *conversation, end ended) any {
	if o.isChat() {
		return o.frame(c, openaiChoice{Delta: struct{}{}, FinishReason: &end.reason})
	}
	empty := ""
	return o.frame(c, openaiChoice{Text: &empty, FinishReason: &end.reason})
}

// total is the chunk without a choice that stream_options asks for.
func (o openaiOptions) total(c *conversation, end ended) any {
	a := o.frame(c)
	a.Usage = &end.usage
	return a
}
