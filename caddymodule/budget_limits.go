package caddymodule

import (
	"slices"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/jsonbody"
)

// largestInLimit is the largest limit and the largest number of answers that are counted.
const largestInLimit = 1 << 31

// nativeBody is where a task of the orchestrator has the request of an engine.
const nativeBody = "native.body."

const (
	memberNative     = "native"
	memberProtocol   = "native.protocol"
	memberBackground = "background"
	memberMessages   = "messages"
	pathTasks        = "/v2/tasks"
)

// limitMembers are the members that limit the tokens of an answer, in the protocols of all
// engines. Of several the largest counts. One that an engine does not know limits nothing,
// so that only the ones of heededLimits are believed below budget_reserve.
var limitMembers = []string{
	"max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", // OpenAI, Anthropic
	"n_predict",                                                    // llama.cpp
	"options.num_predict",                                          // Ollama
	"sampling_params.max_new_tokens", "sampling_params.max_tokens", // SGLang, vLLM
	"parameters.max_new_tokens", // TGI
}

// heededLimits are the limits that every engine heeds on a route. Another route has none:
// Ollama heeds no max_completion_tokens, and no max_tokens in its own protocol.
var heededLimits = map[string][]string{
	"/v1/chat/completions":   {"max_tokens"},
	"/chat/completions":      {"max_tokens"},
	"/v1/completions":        {"max_tokens"},
	"/v1/responses":          {"max_output_tokens"},
	"/responses":             {"max_output_tokens"},
	"/v1/messages":           {"max_tokens"},
	"/api/chat":              {"options.num_predict"},
	"/api/generate":          {"options.num_predict"},
	"/completion":            {"n_predict"},
	"/completions":           {"n_predict"},
	"/infill":                {"n_predict"},
	"/generate":              {"sampling_params.max_new_tokens", "parameters.max_new_tokens"},
	"/generate_stream":       {"parameters.max_new_tokens"},
	"/inference/v1/generate": {"sampling_params.max_tokens"},
	pathTasks:                {"max_tokens"},
}

// routeOfNative is the route whose request a task has in native.body, by native.protocol.
var routeOfNative = map[string]string{
	"chat": "/v1/chat/completions", "completions": "/v1/completions", "responses": "/v1/responses",
	"messages": "/v1/messages", "ollama": "/api/chat",
}

// answerMembers say how many answers there are. Of several the largest counts.
var answerMembers = []string{"n", "best_of", "n_cmpl", "sampling_params.n", "sampling_params.best_of", "parameters.best_of"}

// promptMembers are lists of prompts, each of which gets an answer. A list of numbers is one
// prompt, of token ids.
var promptMembers = []string{"prompt", "text", "input_ids"}

// costMembers are the members that are read for a budget of tokens, also in a native body.
var costMembers = func() []string {
	members := []string{memberNative, memberProtocol}
	for _, in := range []string{"", nativeBody} {
		for _, of := range [][]string{limitMembers, answerMembers, promptMembers, {memberMessages, memberBackground}} {
			for _, member := range of {
				members = append(members, in+member)
			}
		}
	}
	return members
}()

// readLimits takes the largest limit of an answer, and whether the engine heeds it.
func (c *requestCost) readLimits(s *jsonbody.Scanner) *authmin.Problem {
	in, heeded := c.heeded(s)
	unlimited := false
	for _, at := range []string{"", nativeBody} {
		for _, member := range limitMembers {
			m, ok := s.Member(at + member)
			if !ok || m.Kind == jsonbody.Null {
				continue
			}
			value, whole := m.Int()
			if whole && (value == -1 || value == -2) {
				unlimited = true
				continue
			}
			if !whole || value < 1 || value > largestInLimit {
				return invalidLimit(at + member)
			}
			c.limit = max(c.limit, value)
			if at == in {
				c.limited = c.limited || slices.Contains(heeded, member)
			}
		}
	}
	c.limited = c.limited && !unlimited
	return nil
}

// heeded returns the limits that the engine heeds, and where they are in the body.
func (c *requestCost) heeded(s *jsonbody.Scanner) (in string, members []string) {
	m, native := s.Member(memberNative)
	switch {
	case !native || m.Kind == jsonbody.Null:
		return "", heededLimits[c.path]
	case c.path != pathTasks:
		return "", nil
	}
	protocol, _ := s.Member(memberProtocol)
	name, _ := protocol.Text()
	return nativeBody, heededLimits[routeOfNative[name]]
}

// readAnswers returns how many answers a prompt gets, at least one.
func readAnswers(s *jsonbody.Scanner) (int64, *authmin.Problem) {
	answers := int64(1)
	for _, at := range []string{"", nativeBody} {
		for _, member := range answerMembers {
			m, ok := s.Member(at + member)
			if !ok || m.Kind == jsonbody.Null {
				continue
			}
			value, whole := m.Int()
			if !whole || value < 1 || value > largestInLimit {
				return 0, invalidLimit(at + member)
			}
			answers = max(answers, value)
		}
	}
	return answers, nil
}

// promptsIn returns how many prompts a request has, at least one. A list in the messages is
// a conversation of its own.
func promptsIn(s *jsonbody.Scanner) int64 {
	prompts := int64(1)
	for _, at := range []string{"", nativeBody} {
		for _, member := range promptMembers {
			if m, ok := s.Member(at + member); ok && m.Len() != m.Elements[jsonbody.Number] {
				prompts = max(prompts, m.Len())
			}
		}
		if m, ok := s.Member(at + memberMessages); ok {
			prompts = max(prompts, m.Elements[jsonbody.Array])
		}
	}
	return prompts
}

// invalidLimit is the problem of a member that limits an answer, and cannot be counted.
func invalidLimit(member string) *authmin.Problem {
	p := problemLimit
	p.Param = member
	p.Message = p.Title + ": " + member + " is not an integer from 1 to 2147483648."
	return &p
}
