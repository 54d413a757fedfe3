package demoengine

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// ollamaTime is the time of every answer: they are all the same.
const ollamaTime = "2025-01-01T00:00:00Z"

// ollamaRequest is POST /api/chat and /api/generate.
type ollamaRequest struct {
	Prompt   string `json:"prompt"`
	System   string `json:"system"`
	Messages []struct {
		Role    string   `json:"role"`
		Content string   `json:"content"`
		Images  []string `json:"images"`
	} `json:"messages"`
	Tools       []openAITool    `json:"tools"`
	Format      json.RawMessage `json:"format"`
	Stream      *bool           `json:"stream"`
	Think       json.RawMessage `json:"think"`
	Logprobs    bool            `json:"logprobs"`
	TopLogprobs int             `json:"top_logprobs"`
	Options     struct {
		NumPredict int      `json:"num_predict"`
		Seed       int64    `json:"seed"`
		Stop       []string `json:"stop"`
	} `json:"options"`
}

func (q ollamaRequest) ask() ask {
	var prompt strings.Builder
	prompt.WriteString(q.System + q.Prompt)
	a := ask{tokens: max(0, q.Options.NumPredict), seed: q.Options.Seed, stop: q.Options.Stop, choices: 1}
	for _, m := range q.Messages {
		prompt.WriteString("\n" + m.Role + ": " + m.Content + strings.Repeat(" [image]", len(m.Images)))
		a.told = m.Role == "tool"
	}
	a.prompt = prompt.String()
	for _, t := range q.Tools {
		a.tools = append(a.tools, tool{t.Function.Name, t.Function.Parameters})
	}
	switch format := string(q.Format); {
	case format == `"json"`:
		a.schema = anyObject
	case strings.HasPrefix(format, "{"):
		a.schema = q.Format
		a.refuse("format", wrongSchema(q.Format))
	case format != "" && format != "null" && format != `""`:
		a.problem = `format: want "json" or a JSON schema`
	}
	think := string(q.Think)
	a.reasoning = think != "" && think != "null" && think != "false"
	return a
}

// ollamaLine is an answer, or a line of one.
type ollamaLine struct {
	Model      string      `json:"model"`
	CreatedAt  string      `json:"created_at"`
	Message    *ollamaTurn `json:"message,omitempty"`  // of chat
	Response   *string     `json:"response,omitempty"` // of generate
	Thinking   string      `json:"thinking,omitempty"` // of generate
	Done       bool        `json:"done"`
	DoneReason string      `json:"done_reason,omitempty"`
	Logprobs   []tokenProb `json:"logprobs,omitempty"`
	ollamaFigures
}

type ollamaTurn struct {
	Role      string       `json:"role"`
	Content   string       `json:"content"`
	Thinking  string       `json:"thinking,omitempty"`
	ToolCalls []ollamaCall `json:"tool_calls,omitempty"`
}

type ollamaCall struct {
	Function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"function"`
}

// ollamaFigures end an answer; times are in nanoseconds.
type ollamaFigures struct {
	TotalDuration      int64 `json:"total_duration,omitempty"`
	LoadDuration       int64 `json:"load_duration,omitempty"`
	PromptEvalCount    int   `json:"prompt_eval_count,omitempty"`
	PromptEvalDuration int64 `json:"prompt_eval_duration,omitempty"`
	EvalCount          int   `json:"eval_count,omitempty"`
	EvalDuration       int64 `json:"eval_duration,omitempty"`
}

func (e *engine) ollamaChat(w http.ResponseWriter, r *http.Request)     { e.ollama(w, r, true) }
func (e *engine) ollamaGenerate(w http.ResponseWriter, r *http.Request) { e.ollama(w, r, false) }

// ollama answers both routes: one has a message, the other a response.
func (e *engine) ollama(w http.ResponseWriter, r *http.Request, chat bool) {
	var q ollamaRequest
	if !read(w, r, &q) {
		return
	}
	o := &ollamaStream{a: q.ask(), chat: chat, model: e.settings.model, probs: q.Logprobs, top: q.TopLogprobs}
	if code, message := e.check(o.a); code != "" {
		failOllama(w, http.StatusBadRequest, message)
		return
	}
	if q.TopLogprobs < 0 || q.TopLogprobs > maxTopProbs {
		failOllama(w, http.StatusBadRequest, "top_logprobs: want 0 to 20")
		return
	}
	if len(q.Messages) == 0 && q.Prompt == "" { // nothing is asked but to load the model
		line := o.line("", "")
		line.Done, line.DoneReason = true, "load"
		reply(w, line)
		return
	}
	if q.Stream != nil && !*q.Stream {
		e.answer(w, r, o.a, unstreamed, func(done whole) { reply(w, o.whole(done)) })
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	o.out = &eventWriter{w, http.NewResponseController(w)}
	e.answer(w, r, o.a, o.send, func(done whole) {
		last := o.whole(done)
		if o.clear(&last); chat && len(last.Message.ToolCalls) > 0 {
			call := o.line("", "")
			call.Message.ToolCalls, last.Message.ToolCalls = last.Message.ToolCalls, nil
			if o.out.line(call) != nil {
				return
			}
		}
		_ = o.out.line(last) // a failure means that the client is gone
	})
}

type ollamaStream struct {
	a     ask
	chat  bool
	model string
	probs bool // log probabilities are asked for
	top   int  // and so many of the likeliest
	out   *eventWriter
}

// logprobs are those of tokens of the text.
func (o *ollamaStream) logprobs(tokens ...string) (all []tokenProb) {
	if o.probs {
		for _, token := range tokens {
			all = append(all, probsOf(token, o.top))
		}
	}
	return all
}

func (o *ollamaStream) line(text, thinking string) ollamaLine {
	line := ollamaLine{Model: o.model, CreatedAt: ollamaTime}
	if o.chat {
		line.Message = &ollamaTurn{Role: "assistant", Content: text, Thinking: thinking}
	} else {
		line.Response, line.Thinking = &text, thinking
	}
	return line
}

// send sends one token. A tool's call goes in one piece, at the end.
func (o *ollamaStream) send(p part) error {
	switch p.kind {
	case argumentPart:
		return nil
	case reasoningPart:
		return o.out.line(o.line("", p.text))
	}
	line := o.line(p.text, "")
	line.Logprobs = o.logprobs(p.text)
	return o.out.line(line)
}

func (o *ollamaStream) whole(done whole) ollamaLine {
	made := done.choices[0]
	line := o.line(made.text.String(), made.reasoning.String())
	line.Done, line.DoneReason, line.Logprobs = true, made.finish, o.logprobs(made.tokens...)
	if made.call != nil && line.Message != nil {
		call := ollamaCall{}
		call.Function.Name, call.Function.Arguments = made.call.Name, validJSON(made.arguments.String())
		line.Message.ToolCalls, line.DoneReason = []ollamaCall{call}, "stop"
	}
	took := max(done.took, time.Nanosecond)
	line.ollamaFigures = ollamaFigures{
		TotalDuration: took.Nanoseconds(), PromptEvalCount: done.tokensIn, PromptEvalDuration: 1, EvalCount: made.count, EvalDuration: took.Nanoseconds(),
	}
	return line
}

// clear takes the text out of the last line of a stream: it was sent before.
func (o *ollamaStream) clear(line *ollamaLine) {
	empty := ""
	line.Logprobs = nil
	if line.Thinking = ""; line.Message != nil {
		line.Message.Content, line.Message.Thinking = "", ""
		return
	}
	line.Response = &empty
}

// failOllama is an error of Ollama.
func failOllama(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}
