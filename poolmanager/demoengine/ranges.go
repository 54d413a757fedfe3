package demoengine

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
)

// sampling is what requests of OpenAI's and Anthropic's APIs say of how to choose
// tokens. This engine does not use it, and refuses what others refuse.
type sampling struct {
	Temperature      *float64 `json:"temperature"`
	TopP             *float64 `json:"top_p"`
	MinP             *float64 `json:"min_p"`
	PresencePenalty  *float64 `json:"presence_penalty"`
	FrequencyPenalty *float64 `json:"frequency_penalty"`
}

// within is a number of a request, and the range that it may have; nil is absent.
type within struct {
	name      string
	value     *float64
	low, high float64
}

func (s sampling) ranges(hottest float64) []within {
	return []within{
		{"temperature", s.Temperature, 0, hottest}, {"top_p", s.TopP, 0, 1}, {"min_p", s.MinP, 0, 1},
		{"presence_penalty", s.PresencePenalty, -2, 2}, {"frequency_penalty", s.FrequencyPenalty, -2, 2},
	}
}

// integer makes a within of a whole number.
func integer(name string, value *int, low, high float64) within {
	if value == nil {
		return within{name: name}
	}
	n := float64(*value)
	return within{name, &n, low, high}
}

// outside gives the first number that is out of its range; "" for none.
func outside(all ...within) (name, message string) {
	for _, w := range all {
		if w.value == nil || *w.value >= w.low && *w.value <= w.high {
			continue
		}
		want := fmt.Sprintf("%g to %g", w.low, w.high)
		if math.IsInf(w.high, 1) {
			want = fmt.Sprintf("%g or more", w.low)
		}
		return w.name, fmt.Sprintf("%s: want %s, got %g", w.name, want, *w.value)
	}
	return "", ""
}

// failValue refuses the value of a member in OpenAI's shape.
func failValue(w http.ResponseWriter, name, message string) {
	failOn(w, http.StatusBadRequest, "invalid_value", message, name)
}

// promptsOf are the prompts of a completion, or the inputs of an embedding: one text or
// several, or one list of tokens or several. Each token counts as one word, since this
// engine has no vocabulary.
func promptsOf(raw json.RawMessage) ([]string, bool) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, true
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many, len(many) > 0
	}
	var tokens []int
	if json.Unmarshal(raw, &tokens) == nil {
		return []string{ofTokens(tokens)}, true
	}
	var lists [][]int
	if json.Unmarshal(raw, &lists) != nil {
		return nil, false
	}
	texts := make([]string, len(lists))
	for i, tokens := range lists {
		texts[i] = ofTokens(tokens)
	}
	return texts, true
}

func ofTokens(tokens []int) string {
	var out []byte
	for _, n := range tokens {
		out = fmt.Appendf(out, "#%d ", n)
	}
	return string(out)
}
