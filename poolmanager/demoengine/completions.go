package demoengine

import (
	"encoding/json"
	"net/http"
	"strings"
)

// textRequest is POST /v1/completions.
type textRequest struct {
	openAIRequest
	Prompt   json.RawMessage `json:"prompt"`
	Echo     bool            `json:"echo"`
	Logprobs *int            `json:"logprobs"`
}

type textAnswer struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created int64           `json:"created"`
	Model   string          `json:"model"`
	Choices []textChoice    `json:"choices"`
	Usage   json.RawMessage `json:"usage,omitempty"`
}

type textChoice struct {
	Index    int        `json:"index"`
	Text     string     `json:"text"`
	Logprobs *textProbs `json:"logprobs"`
	Finish   *string    `json:"finish_reason"`
}

type textProbs struct {
	Tokens        []string             `json:"tokens"`
	TokenLogprobs []float64            `json:"token_logprobs"`
	TopLogprobs   []map[string]float64 `json:"top_logprobs"`
	TextOffset    []int                `json:"text_offset"`
}

func (e *engine) textCompletion(w http.ResponseWriter, r *http.Request) {
	var q textRequest
	if !read(w, r, &q) {
		return
	}
	if name, message := q.outside(integer("logprobs", q.Logprobs, 0, maxTopProbs)); name != "" {
		failValue(w, name, message)
		return
	}
	prompts, ok := promptsOf(q.Prompt)
	if !ok {
		failValue(w, "prompt", "prompt: want a text, a list of texts, or a list of tokens, or several of these")
		return
	}
	t := &completion{q: q, a: q.openAIRequest.ask(strings.Join(prompts, "\n")), model: e.settings.model}
	t.a.prompts = prompts
	if !q.Stream {
		e.answer(w, r, t.a, unstreamed, func(done whole) { reply(w, t.whole(done)) })
		return
	}
	events := newEventWriter(w)
	e.answer(w, r, t.a, func(p part) error { return t.send(events, p) }, func(done whole) { t.end(events, done) })
}

// completion is one answer to a prompt.
type completion struct {
	q      textRequest
	a      ask
	model  string
	offset [maxAnswers]int
}

func (t *completion) event(choices ...textChoice) textAnswer {
	answer := textAnswer{ID: t.a.id("cmpl-demo-"), Object: "text_completion", Created: created, Model: t.model, Choices: choices}
	if t.q.StreamOptions.IncludeUsage {
		answer.Usage = null
	}
	return answer
}

func (t *completion) send(events *eventWriter, p part) error {
	choice := textChoice{Index: p.choice, Text: p.text}
	if t.q.Logprobs != nil {
		choice.Logprobs = t.probs(p.choice, p.text)
	}
	return events.send(t.event(choice))
}

func (t *completion) end(events *eventWriter, done whole) {
	for i, m := range done.choices {
		if events.send(t.event(textChoice{Index: i, Finish: &m.finish})) != nil {
			return
		}
	}
	if t.q.StreamOptions.IncludeUsage {
		last := t.event()
		last.Choices, last.Usage = []textChoice{}, encoded(usageOf(done))
		if events.send(last) != nil {
			return
		}
	}
	events.close()
}

func (t *completion) whole(done whole) textAnswer {
	answer := textAnswer{ID: t.a.id("cmpl-demo-"), Object: "text_completion", Created: created, Model: t.model, Usage: encoded(usageOf(done))}
	for i, m := range done.choices {
		choice := textChoice{Index: i, Text: m.text.String(), Finish: &m.finish}
		if t.q.Echo {
			choice.Text = t.a.promptOf(i) + choice.Text
		}
		if t.q.Logprobs != nil {
			choice.Logprobs = t.probs(i, m.tokens...)
		}
		answer.Choices = append(answer.Choices, choice)
	}
	return answer
}

func (t *completion) probs(choice int, tokens ...string) *textProbs {
	probs := &textProbs{}
	for _, token := range tokens {
		one := probOf(token, 0)
		top := map[string]float64{}
		for i := range *t.q.Logprobs {
			other := probOf(token, 0)
			if i > 0 {
				other = probOf(" "+vocabulary[i], i)
			}
			top[other.Text] = other.Logprob
		}
		probs.Tokens = append(probs.Tokens, token)
		probs.TokenLogprobs = append(probs.TokenLogprobs, one.Logprob)
		probs.TopLogprobs = append(probs.TopLogprobs, top)
		probs.TextOffset = append(probs.TextOffset, t.offset[choice])
		t.offset[choice] += len(token)
	}
	return probs
}
