package demoengine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// maxChoices bounds the answers to one prompt.
	maxChoices = 16
	// maxAnswers bounds those to one request, which may have several prompts.
	maxAnswers = 128
	// fragmentBytes is how much of JSON, which has no words, counts as a token.
	fragmentBytes = 6
)

// ask is what any protocol's request comes to.
type ask struct {
	prompt    string   // all texts of the request
	prompts   []string // of completions that have several; each gets its own answers
	tokens    int      // how long the answer may be; 0: as the engine wants
	seed      int64
	stop      []string
	choices   int
	reasoning bool
	tools     []tool
	choice    string          // the tool to call: its name, "none", or "" for the first
	told      bool            // the last turn is a tool's result: now comes text
	schema    json.RawMessage // what the answer has to be an instance of; nil: it is text
	problem   string          // why the request is refused; "": it is not
}

// tool is one that the client offers.
type tool struct {
	Name       string
	Parameters json.RawMessage
}

// partKind says what a token is of.
type partKind int

const (
	textPart partKind = iota
	reasoningPart
	argumentPart
)

// part is one token of one of the answers.
type part struct {
	choice int
	kind   partKind
	text   string
	index  int // among the answer's tokens
}

// made is one answer so far.
type made struct {
	call      *tool // that it calls; nil: it is text
	text      strings.Builder
	reasoning strings.Builder
	arguments strings.Builder
	tokens    []string // of the text
	count     int      // tokens in all
	thought   int      // of them, of reasoning
	finish    string   // stop, length, or tool_calls
	stopped   string   // the stop word that ended it

	most int                 // tokens after which it ends by itself
	plan func() (part, bool) // the next token; false: it is whole
}

// whole is all answers to a request.
type whole struct {
	choices  []*made
	tokensIn int
	took     time.Duration
}

// tokensOut is the tokens of all answers.
func (w whole) tokensOut() (n int) {
	for _, m := range w.choices {
		n += m.count
	}
	return n
}

// thought is the tokens of their reasoning.
func (w whole) thought() (n int) {
	for _, m := range w.choices {
		n += m.thought
	}
	return n
}

var thoughts = []string{"A", " demo", " engine", " does", " not", " think", "."}

// calls is the tool that the answer calls; nil: none.
func (a ask) calls() *tool {
	if a.told || a.choice == "none" {
		return nil
	}
	for i := range a.tools {
		if a.choice == "" || a.choice == a.tools[i].Name {
			return &a.tools[i]
		}
	}
	return nil
}

// promptOf is the prompt that an answer is to.
func (a ask) promptOf(choice int) string {
	if len(a.prompts) == 0 {
		return a.prompt
	}
	return a.prompts[choice/max(1, a.choices)]
}

// answers is how many answers the request gets.
func (a ask) answers() int { return max(1, a.choices) * max(1, len(a.prompts)) }

// begin makes the plan of one answer.
func (a ask) begin(choice int) *made {
	m := &made{call: a.calls(), most: defaultTokens}
	if m.call != nil || a.schema != nil {
		m.most = maxTokens
	} else if a.tokens > 0 {
		m.most = maxTokens + 1
	}
	kind, fixed := textPart, []string(nil)
	switch {
	case m.call != nil:
		kind, fixed = argumentPart, fragments(instanceOf(m.call.Parameters))
	case a.schema != nil:
		fixed = fragments(instanceOf(a.schema))
	}
	words := newAnswer(a.promptOf(choice), a.seed+int64(choice%max(1, a.choices)))
	var pending []string
	if a.reasoning {
		pending = thoughts
	}
	m.plan = func() (part, bool) {
		if len(pending) > 0 {
			next := pending[0]
			pending = pending[1:]
			return part{choice: choice, kind: reasoningPart, text: next}, true
		}
		if fixed == nil {
			return part{choice: choice, text: words.token()}, true
		}
		if len(fixed) == 0 {
			return part{}, false
		}
		next := fixed[0]
		fixed = fixed[1:]
		return part{choice: choice, kind: kind, text: next}, true
	}
	return m
}

// fragments cuts a text into tokens.
func fragments(text string) []string {
	all := []string{}
	for len(text) > 0 {
		n := min(fragmentBytes, len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n++
		}
		all, text = append(all, text[:n]), text[n:]
	}
	return all
}

// step makes the next token of an answer; false: the answer is whole.
func (m *made) step(a ask, emit func(part) error) (bool, error) {
	next, ok := m.plan()
	switch {
	case !ok && m.call != nil:
		m.finish = "tool_calls"
	case !ok:
		m.finish = "stop"
	case m.count >= limit(a.tokens) && a.tokens > 0:
		m.finish = "length"
	case m.count >= m.most:
		m.finish = "stop"
	case next.kind == textPart && len(a.stop) > 0:
		if m.stopped = stopWord(m.text.String()+next.text, a.stop); m.stopped != "" {
			m.finish = "stop"
		}
	}
	if m.finish != "" {
		return false, nil
	}
	next.index = m.count
	m.count++
	switch next.kind {
	case textPart:
		m.text.WriteString(next.text)
		m.tokens = append(m.tokens, next.text)
	case reasoningPart:
		m.thought++
		m.reasoning.WriteString(next.text)
	case argumentPart:
		m.arguments.WriteString(next.text)
	}
	return true, emit(next)
}

// produce makes the answers, one token of each at a time.
func (e *engine) produce(ctx context.Context, a ask, emit func(part) error) (whole, error) {
	begin := time.Now()
	w := whole{tokensIn: countTokens(a.prompt)}
	open := []*made{}
	for i := range a.answers() {
		m := a.begin(i)
		w.choices, open = append(w.choices, m), append(open, m)
	}
	for made := 0; len(open) > 0; made++ {
		if e.settings.stallAfter > 0 && made >= e.settings.stallAfter {
			<-ctx.Done()
		}
		if err := pause(ctx, e.settings.tokenDelay); err != nil {
			return w, err
		}
		left := open[:0]
		for _, m := range open {
			more, err := m.step(a, emit)
			if err != nil {
				return w, err
			}
			if more {
				left = append(left, m)
			}
		}
		open = left
	}
	w.took = time.Since(begin)
	return w, nil
}

// check refuses what this engine cannot answer, in the words of the others.
func (e *engine) check(a ask) (code, message string) {
	switch {
	case a.problem != "":
		return "invalid_value", a.problem
	case a.choices > maxChoices:
		return "invalid_value", fmt.Sprintf("n: at most %d answers", maxChoices)
	case a.answers() > maxAnswers:
		return "invalid_value", fmt.Sprintf("prompt: at most %d answers in all", maxAnswers)
	case a.choice != "" && a.choice != "none" && a.calls() == nil && !a.told:
		return "invalid_value", "tool_choice names a tool that is not among tools"
	case countTokens(a.prompt) > e.settings.context:
		return "context_length_exceeded", fmt.Sprintf("This model's maximum context length is %d tokens. However, your messages resulted in %d tokens.", e.settings.context, countTokens(a.prompt))
	}
	return "", ""
}
