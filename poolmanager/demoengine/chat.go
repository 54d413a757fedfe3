package demoengine

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// chatRequest is POST /v1/chat/completions.
type chatRequest struct {
	openAIRequest
	Messages       []chatMessage   `json:"messages"`
	Tools          []openAITool    `json:"tools"`
	ToolChoice     json.RawMessage `json:"tool_choice"`
	ResponseFormat struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
	ReasoningEffort string `json:"reasoning_effort"`
	TemplateKwargs  struct {
		EnableThinking bool `json:"enable_thinking"`
	} `json:"chat_template_kwargs"`
	Logprobs    bool `json:"logprobs"`
	TopLogprobs *int `json:"top_logprobs"`
}

type chatMessage struct {
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	ToolCalls json.RawMessage `json:"tool_calls"`
}

type openAITool struct {
	Function struct {
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// anyObject is the schema of response_format json_object.
var anyObject = json.RawMessage(`{"type":"object","properties":{"answer":{"type":"string"}}}`)

func (q chatRequest) ask() ask {
	var prompt strings.Builder
	for _, m := range q.Messages {
		fmt.Fprintf(&prompt, "%s: %s\n", m.Role, textOf(m.Content))
	}
	a := q.openAIRequest.ask(prompt.String())
	a.told = len(q.Messages) > 0 && q.Messages[len(q.Messages)-1].Role == "tool"
	for _, t := range q.Tools {
		if t.Function.Name != "" {
			a.offer(t.Function.Name, t.Function.Parameters)
		}
	}
	a.choose(q.ToolChoice)
	a.format("response_format", q.ResponseFormat.Type, q.ResponseFormat.JSONSchema.Schema)
	a.reasoning = q.ReasoningEffort != "" && q.ReasoningEffort != "none" || q.TemplateKwargs.EnableThinking
	return a
}

// chatAnswer is the whole answer, and each event of a stream.
type chatAnswer struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created int64           `json:"created"`
	Model   string          `json:"model"`
	Choices []chatChoice    `json:"choices"`
	Usage   json.RawMessage `json:"usage,omitempty"`
}

type chatChoice struct {
	Index    int        `json:"index"`
	Message  *chatText  `json:"message,omitempty"`
	Delta    *chatDelta `json:"delta,omitempty"`
	Logprobs *chatProbs `json:"logprobs"`
	Finish   *string    `json:"finish_reason"`
}

// chatText is a whole message: one that only calls a tool has a content of null.
type chatText struct {
	Role      string     `json:"role"`
	Reasoning string     `json:"reasoning_content,omitempty"`
	Content   *string    `json:"content"`
	Refusal   *string    `json:"refusal"`
	ToolCalls []chatCall `json:"tool_calls,omitempty"`
}

// chatDelta is a part of one.
type chatDelta struct {
	Role      string     `json:"role,omitempty"`
	Reasoning string     `json:"reasoning_content,omitempty"`
	Content   *string    `json:"content,omitempty"`
	ToolCalls []chatCall `json:"tool_calls,omitempty"`
}

type chatCall struct {
	Index    *int   `json:"index,omitempty"`
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

var null = json.RawMessage("null")

func (e *engine) chatCompletion(w http.ResponseWriter, r *http.Request) {
	var q chatRequest
	if !read(w, r, &q) {
		return
	}
	if len(q.Messages) == 0 {
		failWith(w, http.StatusBadRequest, "invalid_value", "messages is missing, or empty")
		return
	}
	for i, m := range q.Messages {
		if wrong := wrongRole(m.Role, chatRoles); wrong != "" {
			failValue(w, fmt.Sprintf("messages[%d].role", i), wrong)
			return
		}
	}
	if name, message := q.outside(integer("top_logprobs", q.TopLogprobs, 0, maxTopProbs)); name != "" {
		failValue(w, name, message)
		return
	}
	c := &chat{q: q, a: q.ask(), model: e.settings.model}
	if !q.Stream {
		e.answer(w, r, c.a, unstreamed, func(done whole) { reply(w, c.whole(done)) })
		return
	}
	events := newEventWriter(w)
	e.answer(w, r, c.a, func(p part) error { return c.send(events, p) }, func(done whole) { c.end(events, done) })
}

// chat is one answer to a chat.
type chat struct {
	q      chatRequest
	a      ask
	model  string
	begun  [maxChoices]bool // the answer has sent its role
	called [maxChoices]bool // and its tool
}

func (c *chat) event(choices ...chatChoice) chatAnswer {
	answer := chatAnswer{ID: c.a.id("chatcmpl-demo-"), Object: "chat.completion.chunk", Created: created, Model: c.model, Choices: choices}
	if c.q.StreamOptions.IncludeUsage {
		answer.Usage = null
	}
	return answer
}

// send sends one token. The role goes before the first of each answer, and the name of
// a tool with its first.
func (c *chat) send(events *eventWriter, p part) error {
	if !c.begun[p.choice] {
		c.begun[p.choice] = true
		first := &chatDelta{Role: "assistant"}
		if c.a.calls() == nil {
			first.Content = new(string)
		}
		if err := events.send(c.event(chatChoice{Index: p.choice, Delta: first})); err != nil {
			return err
		}
	}
	delta := &chatDelta{}
	choice := chatChoice{Index: p.choice, Delta: delta}
	switch p.kind {
	case reasoningPart:
		delta.Reasoning = p.text
	case textPart:
		delta.Content = &p.text
		if c.q.Logprobs {
			choice.Logprobs = c.probs(p.text)
		}
	case argumentPart:
		call := chatCall{Index: new(int)}
		if !c.called[p.choice] {
			c.called[p.choice] = true
			call.ID, call.Type, call.Function.Name = c.callID(p.choice), "function", c.a.calls().Name
		}
		call.Function.Arguments = p.text
		delta.ToolCalls = []chatCall{call}
	}
	return events.send(c.event(choice))
}

func (c *chat) callID(choice int) string { return fmt.Sprintf("%s-%d", c.a.id("call-demo-"), choice) }

// end sends what follows the last token. A failed write means that the client is gone.
func (c *chat) end(events *eventWriter, done whole) {
	for i, m := range done.choices {
		if events.send(c.event(chatChoice{Index: i, Delta: &chatDelta{}, Finish: &m.finish})) != nil {
			return
		}
	}
	if c.q.StreamOptions.IncludeUsage {
		last := c.event()
		last.Choices, last.Usage = []chatChoice{}, encoded(usageOf(done))
		if events.send(last) != nil {
			return
		}
	}
	events.close()
}

func (c *chat) whole(done whole) chatAnswer {
	answer := chatAnswer{ID: c.a.id("chatcmpl-demo-"), Object: "chat.completion", Created: created, Model: c.model, Usage: encoded(usageOf(done))}
	for i, m := range done.choices {
		turn := &chatText{Role: "assistant", Reasoning: m.reasoning.String()}
		if text := m.text.String(); m.call == nil {
			turn.Content = &text
		} else {
			call := chatCall{ID: c.callID(i), Type: "function"}
			call.Function.Name, call.Function.Arguments = m.call.Name, m.arguments.String()
			turn.ToolCalls = []chatCall{call}
		}
		choice := chatChoice{Index: i, Message: turn, Finish: &m.finish}
		if c.q.Logprobs && m.call == nil {
			choice.Logprobs = c.probs(m.tokens...)
		}
		answer.Choices = append(answer.Choices, choice)
	}
	return answer
}

// encoded is a value as JSON; it is made of what JSON has.
func encoded(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return null
	}
	return text
}
