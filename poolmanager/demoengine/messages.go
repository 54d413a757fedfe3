package demoengine

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// messagesRequest is POST /v1/messages.
type messagesRequest struct {
	MaxTokens int             `json:"max_tokens"`
	System    json.RawMessage `json:"system"`
	Messages  []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	} `json:"messages"`
	Tools []struct {
		Name        string          `json:"name"`
		InputSchema json.RawMessage `json:"input_schema"`
	} `json:"tools"`
	ToolChoice struct {
		Type string `json:"type"`
		Name string `json:"name"`
	} `json:"tool_choice"`
	Thinking struct {
		Type string `json:"type"`
	} `json:"thinking"`
	StopSequences []string `json:"stop_sequences"`
	Stream        bool     `json:"stream"`
	OutputConfig  struct {
		Format outputFormat `json:"format"`
	} `json:"output_config"`
	OutputFormat outputFormat `json:"output_format"` // its name in the beta
	sampling
}

// outputFormat is what the answer of a message has to be an instance of.
type outputFormat struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema"`
}

func (q messagesRequest) ask() ask {
	prompt := strings.Builder{}
	prompt.WriteString(textOf(q.System))
	for _, m := range q.Messages {
		prompt.WriteString("\n" + m.Role + ": " + textOf(m.Content))
	}
	a := ask{prompt: prompt.String(), tokens: q.MaxTokens, stop: q.StopSequences, choices: 1, reasoning: q.Thinking.Type == "enabled" || q.Thinking.Type == "adaptive"}
	for _, t := range q.Tools {
		if len(t.InputSchema) > 0 { // a server's own tools have none
			a.offer(t.Name, t.InputSchema)
		}
	}
	switch a.choice = q.ToolChoice.Name; {
	case q.ToolChoice.Type == "none":
		a.choice = "none"
	case q.ToolChoice.Type == "any" && len(a.tools) == 0:
		a.problem = "tool_choice requires a call, and there is no tool that may be called"
	}
	for _, format := range []outputFormat{q.OutputConfig.Format, q.OutputFormat} {
		if format.Type == "json_schema" && a.schema == nil {
			a.schema = format.Schema
			a.refuse("output_config.format.schema", wrongSchema(format.Schema))
		}
	}
	if n := len(q.Messages); n > 0 {
		var blocks []struct {
			Type string `json:"type"`
		}
		_ = json.Unmarshal(q.Messages[n-1].Content, &blocks) // a text has none
		for _, b := range blocks {
			a.told = a.told || b.Type == "tool_result"
		}
	}
	return a
}

// problem is what is wrong with the request; "" for nothing.
func (q messagesRequest) problem(counting bool) string {
	switch {
	case len(q.Messages) == 0:
		return "messages: at least one message is required"
	case !counting && q.MaxTokens < 1:
		return "max_tokens: want 1 or more"
	}
	for i, m := range q.Messages {
		if wrong := wrongRole(m.Role, messageRoles); wrong != "" {
			return fmt.Sprintf("messages.%d.role: %s", i, wrong)
		}
	}
	for _, f := range []outputFormat{q.OutputConfig.Format, q.OutputFormat} {
		if f.Type != "" && (f.Type != "json_schema" || len(f.Schema) == 0) {
			return "output_config.format: want type json_schema, with a schema"
		}
	}
	_, message := outside(q.ranges(1)...)
	return message
}

// block is a part of a message's content.
type block struct {
	Type      string          `json:"type"`
	Text      *string         `json:"text,omitempty"`
	Citations json.RawMessage `json:"citations,omitempty"` // of text: null
	Thinking  *string         `json:"thinking,omitempty"`
	Signature *string         `json:"signature,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	Caller    json.RawMessage `json:"caller,omitempty"` // of a call: the model itself
}

// direct is the caller of a tool that the model calls, and not a program of its own.
var direct = json.RawMessage(`{"type":"direct"}`)

func textBlock(text string) block { return block{Type: "text", Text: &text, Citations: null} }

// messageUsage is the usage of a message, and so far that of a stream.
type messageUsage struct {
	InputTokens   int            `json:"input_tokens"`
	CacheCreation int            `json:"cache_creation_input_tokens"`
	CacheRead     int            `json:"cache_read_input_tokens"`
	OutputTokens  int            `json:"output_tokens"`
	OutputDetails map[string]int `json:"output_tokens_details"`
	ServerTools   *struct{}      `json:"server_tool_use"`
}

// fullUsage is that of a message.
type fullUsage struct {
	messageUsage
	Created map[string]int `json:"cache_creation"`
	Geo     *string        `json:"inference_geo"`
	Tier    string         `json:"service_tier"`
	Speed   *string        `json:"speed"`
}

func newUsage(in int) fullUsage {
	return fullUsage{
		messageUsage: messageUsage{InputTokens: in, OutputDetails: map[string]int{"thinking_tokens": 0}}, Tier: "standard",
		Created: map[string]int{"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
	}
}

// count notes what an answer has produced.
func (u *messageUsage) count(m *made) {
	u.OutputTokens, u.OutputDetails = m.count, map[string]int{"thinking_tokens": m.thought}
}

// message is an answer.
type message struct {
	ID           string    `json:"id"`
	Type         string    `json:"type"`
	Role         string    `json:"role"`
	Model        string    `json:"model"`
	Content      []block   `json:"content"`
	StopReason   *string   `json:"stop_reason"`
	StopSequence *string   `json:"stop_sequence"`
	StopDetails  *struct{} `json:"stop_details"`
	Container    *struct{} `json:"container"`
	Diagnostics  *struct{} `json:"diagnostics"`
	Usage        fullUsage `json:"usage"`
}

func (e *engine) messages(w http.ResponseWriter, r *http.Request) {
	var q messagesRequest
	if !read(w, r, &q) {
		return
	}
	a := q.ask()
	if problem := q.problem(false); problem != "" {
		failMessage(w, http.StatusBadRequest, problem)
		return
	}
	if code, problem := e.check(a); code != "" {
		failMessage(w, http.StatusBadRequest, problem)
		return
	}
	m := &messageStream{a: a, answer: message{
		ID: a.id("msg_demo_"), Type: "message", Role: "assistant", Model: e.settings.model, Content: []block{},
		Usage: newUsage(countTokens(a.prompt)),
	}}
	if !q.Stream {
		e.answer(w, r, a, unstreamed, func(done whole) { reply(w, m.whole(done)) })
		return
	}
	m.out = newEventWriter(w)
	e.answer(w, r, a, m.send, m.end)
}

// countMessageTokens is POST /v1/messages/count_tokens.
func (e *engine) countMessageTokens(w http.ResponseWriter, r *http.Request) {
	var q messagesRequest
	if !read(w, r, &q) {
		return
	}
	if problem := q.problem(true); problem != "" {
		failMessage(w, http.StatusBadRequest, problem)
		return
	}
	reply(w, map[string]int{"input_tokens": countTokens(q.ask().prompt)})
}

// ends says how an answer ended in the words of messages.
func (m *made) ends() (reason string, sequence *string) {
	switch {
	case m.finish == "length":
		return "max_tokens", nil
	case m.finish == "tool_calls":
		return "tool_use", nil
	case m.stopped != "":
		return "stop_sequence", &m.stopped
	}
	return "end_turn", nil
}

func (m *messageStream) whole(done whole) message {
	made, answer := done.choices[0], m.answer
	if thinking, signature := made.reasoning.String(), "demo"; thinking != "" {
		answer.Content = append(answer.Content, block{Type: "thinking", Thinking: &thinking, Signature: &signature})
	}
	if text := made.text.String(); made.call != nil {
		answer.Content = append(answer.Content, block{Type: "tool_use", ID: m.a.id("toolu_demo_"), Name: made.call.Name, Input: validJSON(made.arguments.String()), Caller: direct})
	} else {
		answer.Content = append(answer.Content, textBlock(text))
	}
	reason, sequence := made.ends()
	answer.StopReason, answer.StopSequence = &reason, sequence
	answer.Usage.count(made)
	return answer
}

// validJSON is an object, also where the limit of tokens has cut it.
func validJSON(text string) json.RawMessage {
	if !json.Valid([]byte(text)) {
		return json.RawMessage("{}")
	}
	return json.RawMessage(text)
}

// messageStream sends an answer as the events of messages.
type messageStream struct {
	a      ask
	answer message
	out    *eventWriter
	begun  bool
	open   bool // a block is
	kind   partKind
	index  int // of the block
}

// event sends one event, whose name is its type.
func (m *messageStream) event(kind string, members map[string]any) error {
	members["type"] = kind
	return m.out.named(kind, members)
}

// begin sends what is before the first token, once.
func (m *messageStream) begin() error {
	if m.begun {
		return nil
	}
	m.begun = true
	if err := m.event("message_start", map[string]any{"message": m.answer}); err != nil {
		return err
	}
	return m.event("ping", map[string]any{})
}

func (m *messageStream) send(p part) error {
	if err := m.begin(); err != nil {
		return err
	}
	if !m.open || m.kind != p.kind {
		if err := m.change(p.kind); err != nil {
			return err
		}
	}
	delta := map[string]string{"type": "text_delta", "text": p.text}
	switch p.kind {
	case reasoningPart:
		delta = map[string]string{"type": "thinking_delta", "thinking": p.text}
	case argumentPart:
		delta = map[string]string{"type": "input_json_delta", "partial_json": p.text}
	}
	return m.event("content_block_delta", map[string]any{"index": m.index, "delta": delta})
}

// change ends the block before and begins one of that kind.
func (m *messageStream) change(kind partKind) error {
	if err := m.close(); err != nil {
		return err
	}
	m.open, m.kind = true, kind
	empty := ""
	b := textBlock("")
	switch kind {
	case reasoningPart:
		b = block{Type: "thinking", Thinking: &empty, Signature: &empty}
	case argumentPart:
		b = block{Type: "tool_use", ID: m.a.id("toolu_demo_"), Name: m.a.calls().Name, Input: json.RawMessage("{}"), Caller: direct}
	}
	return m.event("content_block_start", map[string]any{"index": m.index, "content_block": b})
}

// close ends the block that is open.
func (m *messageStream) close() error {
	if !m.open {
		return nil
	}
	m.open = false
	if m.kind == reasoningPart {
		err := m.event("content_block_delta", map[string]any{"index": m.index, "delta": map[string]string{"type": "signature_delta", "signature": "demo"}})
		if err != nil {
			return err
		}
	}
	err := m.event("content_block_stop", map[string]any{"index": m.index})
	m.index++
	return err
}

// end sends what follows the last token. A failed write means that the client is gone.
func (m *messageStream) end(done whole) {
	if m.begin() != nil || m.close() != nil {
		return
	}
	reason, sequence := done.choices[0].ends()
	usage := m.answer.Usage.messageUsage
	usage.count(done.choices[0])
	err := m.event("message_delta", map[string]any{
		"delta": map[string]any{"stop_reason": reason, "stop_sequence": sequence, "stop_details": nil, "container": nil}, "usage": usage,
	})
	if err == nil {
		_ = m.event("message_stop", map[string]any{})
	}
}

// failMessage is an error of messages.
func failMessage(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "error", "error": map[string]string{"type": "invalid_request_error", "message": message}, "request_id": nil,
	})
}
