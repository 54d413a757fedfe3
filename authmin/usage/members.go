package usage

import (
	"bytes"
	"maps"
	"slices"

	"github.com/llorch/gateway/authmin/jsonbody"
)

// maxValue is how many bytes of a member are kept.
const maxValue = 512

// A usage object is at one of these places.
const (
	atTop      = iota // usage
	inMessage         // message.usage: of the first event of Anthropic's messages
	inResponse        // response.usage: of the events of OpenAI's responses
	inOllama          // Ollama's figures, beside its other members
	places
)

// prefixes are the paths of the places, with a dot.
var prefixes = [places]string{"usage.", "message.usage.", "response.usage.", ""}

// A member says something of an answer.
type member struct {
	place int
	count func(*counts) *int64 // nil for total_tokens
	grows bool                 // the figure never decreases
}

// figureMembers are the members of usage objects.
var figureMembers = map[string]member{
	"prompt_tokens":                              {count: func(c *counts) *int64 { return &c.input }}, // chat, completions, embeddings
	"input_tokens":                               {count: func(c *counts) *int64 { return &c.input }}, // responses, messages
	"completion_tokens":                          {count: func(c *counts) *int64 { return &c.output }, grows: true},
	"output_tokens":                              {count: func(c *counts) *int64 { return &c.output }, grows: true},
	"prompt_tokens_details.cached_tokens":        {count: func(c *counts) *int64 { return &c.cached }},
	"input_tokens_details.cached_tokens":         {count: func(c *counts) *int64 { return &c.cached }},
	"reasoning_tokens":                           {count: func(c *counts) *int64 { return &c.reasoning }, grows: true}, // SGLang's
	"completion_tokens_details.reasoning_tokens": {count: func(c *counts) *int64 { return &c.reasoning }, grows: true},
	"output_tokens_details.reasoning_tokens":     {count: func(c *counts) *int64 { return &c.reasoning }, grows: true},
	"cache_read_input_tokens":                    {count: func(c *counts) *int64 { return &c.readCache }},
	"cache_creation_input_tokens":                {count: func(c *counts) *int64 { return &c.written }},
	"total_tokens":                               {}, // all of it was input, where nothing else is said: rerank
}

// ollamaMembers are Ollama's figures.
var ollamaMembers = map[string]member{
	"prompt_eval_count": {place: inOllama, count: func(c *counts) *int64 { return &c.input }},
	"eval_count":        {place: inOllama, count: func(c *counts) *int64 { return &c.output }, grows: true},
}

// members are all figures by their paths.
var members = func() map[string]member {
	all := map[string]member{}
	for place, prefix := range prefixes[:inOllama] {
		for name, m := range figureMembers {
			m.place = place
			all[prefix+name] = m
		}
	}
	for name, m := range ollamaMembers {
		all[name] = m
	}
	return all
}()

// Members beside the figures.
const memberType = "type" // of an event

var (
	modelMembers = []string{"model", "message.model", "response.model"}
	// textMembers are the members with what a model wrote, in the answers of all
	// protocols, streamed.
	textMembers = []string{
		"content", "reasoning_content", "reasoning", "text", "refusal", "arguments", // OpenAI's and engines' like them
		"delta",                    // responses
		"thinking", "partial_json", // messages
		"response", // Ollama's generate
	}
)

// options are those of the scanner of one JSON object.
func options() jsonbody.Options {
	o := jsonbody.Options{Watch: append([]string{memberType}, modelMembers...), MaxValue: maxValue, Count: textMembers}
	o.Watch = append(o.Watch, slices.Sorted(maps.Keys(members))...)
	return o
}

// hasText reports whether an object carries text of a model. Events that repeat a text
// have other types than those that bring it.
func (s *Scanner) hasText() bool {
	if s.object.Counted() == 0 {
		return false
	}
	kind, ok := s.object.Member(memberType)
	return !ok || bytes.HasSuffix(kind.Raw, []byte(`delta"`))
}

// take reads the figures of one JSON object.
func (c *counts) take(s *jsonbody.Scanner) {
	var said, totals [places]bool
	var total [places]int64
	for path, value := range s.Members() {
		m, isFigure := members[path]
		switch {
		case path == memberType:
		case !isFigure:
			c.takeModel(value)
		case value.Kind == jsonbody.Null:
		default:
			n, ok := value.Int()
			if !ok || n < 0 || n > MaxFigure {
				c.bad = true
				continue
			}
			if m.count == nil {
				totals[m.place], total[m.place] = true, n
				continue
			}
			count := m.count(c)
			if m.grows {
				n = max(n, *count)
			}
			*count, said[m.place] = n, true
		}
	}
	for place := range places {
		if totals[place] && !said[place] {
			c.input, said[place] = total[place], true
		}
		c.final = c.final || said[place] && place != inMessage
	}
}

func (c *counts) takeModel(value jsonbody.Member) {
	if len(value.Raw) == 0 || string(value.Raw) == c.raw {
		return
	}
	if name, ok := value.Text(); ok && name != "" {
		c.raw, c.model = string(value.Raw), name
	}
}
