package caddymodule

import (
	"math"
	"net/http"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/jsonbody"
)

// What is reserved for the prompt of a request: a token is at least about four bytes of
// text, and images and sounds do not cost by their bytes.
const (
	bytesOfToken   = 4
	tokensOfData   = 1000 // a data URL, or a file of a form
	largestInLimit = 1 << 31
)

// limitMembers are the members that limit the tokens of an answer, in the protocols of the
// engines. Of several the largest counts.
var limitMembers = []string{
	"max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", // OpenAI, Anthropic
	"n_predict",                                           // llama.cpp
	"options.num_predict",                                 // Ollama
	"sampling_params.max_new_tokens", "sampling_params.n", // SGLang
	"parameters.max_new_tokens", "parameters.best_of", // TGI
	"n", "best_of",
}

// countMembers are those of limitMembers that say how many answers there are.
var countMembers = map[string]bool{"n": true, "best_of": true, "sampling_params.n": true, "parameters.best_of": true}

const (
	memberBackground = "background"
	memberPrompt     = "prompt"
)

// costMembers are the members that are read for a budget of tokens.
var costMembers = append([]string{memberBackground, memberPrompt}, limitMembers...)

// requestCost is what a request may cost, as far as it says.
type requestCost struct {
	bytes   int64 // of the body
	data    int64 // data URLs
	prompts int64 // texts of the member prompt, each of which gets an answer
	skipped int64 // bytes of the data URLs
	prompt  int64 // tokens
	limit   int64 // tokens of one answer; 0: the request names none
	answers int64
}

// scanner returns a scanner for these members and for what a request may cost.
func (c *requestCost) scanner(members []string) *jsonbody.Scanner {
	watched := make([]string, 0, len(members)+len(costMembers))
	watched = append(append(watched, members...), costMembers...)
	var s *jsonbody.Scanner
	s = jsonbody.New(jsonbody.Options{Watch: watched, String: func(path []string, head string) error {
		if isDataURL(head) {
			c.data++
			c.skipped += s.StringSize()
		}
		if len(path) == 1 && path[0] == memberPrompt {
			c.prompts++
		}
		return nil
	}})
	return s
}

// isDataURL reports whether a string begins as a data URL in base64 does.
func isDataURL(head string) bool {
	if len(head) < len("data:") || !strings.EqualFold(head[:len("data:")], "data:") {
		return false
	}
	kind, content, ok := strings.Cut(head, ",")
	if !ok || !strings.HasSuffix(strings.ToLower(kind), ";base64") || strings.ContainsAny(kind, " \t\r\n") {
		return false
	}
	return strings.IndexFunc(content, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("+/=-_", r)
	}) < 0
}

// read takes the costs from a scanner that has read the body.
func (c *requestCost) read(s *jsonbody.Scanner) *authmin.Problem {
	c.bytes = s.Safe()
	if m, ok := s.Member(memberBackground); ok && m.Kind != jsonbody.False && m.Kind != jsonbody.Null {
		return &problemUncounted
	}
	limit, answers := int64(0), int64(1)
	for _, member := range limitMembers {
		m, ok := s.Member(member)
		if !ok || m.Kind == jsonbody.Null {
			continue
		}
		value, whole := m.Int()
		if unlimited := value == -1 || value == -2; whole && unlimited && !countMembers[member] {
			continue
		}
		if !whole || value < 1 || value > largestInLimit {
			return invalidLimit(member)
		}
		if countMembers[member] {
			answers = max(answers, value)
		} else {
			limit = max(limit, value)
		}
	}
	c.limit, c.answers = limit, saturatedProduct(answers, max(1, c.prompts, c.tokenPrompts(s)))
	c.prompt = (c.bytes-c.skipped)/bytesOfToken + c.data*tokensOfData
	return nil
}

// tokenPrompts is how many prompts there are in a member prompt that is a list of lists of
// token ids. Of a list that is too long to be kept each eighth byte may begin another.
func (c *requestCost) tokenPrompts(s *jsonbody.Scanner) int64 {
	m, ok := s.Member(memberPrompt)
	if !ok || m.Kind != jsonbody.Array || c.prompts > 0 {
		return 0
	}
	if m.Truncated {
		const least = 8
		return (m.End - m.Start) / least
	}
	return int64(strings.Count(string(m.Raw), "[")) - 1
}

// answerTokens is what is reserved for the answer.
func (c *requestCost) answerTokens(reserve int64) int64 {
	if c.limit > 0 {
		reserve = c.limit
	}
	return saturatedProduct(max(1, c.answers), reserve)
}

// saturatedProduct multiplies two numbers from 0 on.
func saturatedProduct(a, b int64) int64 {
	if a != 0 && b > math.MaxInt64/a {
		return math.MaxInt64
	}
	return a * b
}

// saturatedSum adds two numbers from 0 on.
func saturatedSum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// invalidLimit is the problem of a member that limits an answer, and cannot be counted.
func invalidLimit(member string) *authmin.Problem {
	p := problemLimit
	p.Param = member
	p.Message = p.Title + ": " + member + " is not an integer from 1 to 2147483648."
	return &p
}

var (
	problemLimit = authmin.Problem{
		Status: http.StatusBadRequest, Code: "LIMIT_INVALID", CodeNumber: 40020,
		Title: "A limit of the request cannot be counted",
		Hint:  "Send an integer from 1 to 2147483648, or leave it out. For a limit of tokens -1 means none.",
	}
	problemUncounted = authmin.Problem{
		Status: http.StatusBadRequest, Code: "NOT_COUNTED", CodeNumber: 40021,
		Title: "What this request takes could not be counted in the budget of its identity",
		Hint:  "Send it without background and without Upgrade.",
	}
)

// readForm takes the costs from the parts of a form: a file counts as a data URL does.
func (c *requestCost) readForm(parts [][]byte) {
	for _, part := range parts {
		c.bytes += int64(len(part))
		header, _, _ := strings.Cut(string(part[:min(len(part), maxPartHeader)]), "\r\n\r\n")
		if _, file, ok := partName(header); ok && file {
			c.data++
			c.skipped += int64(len(part))
		}
	}
	c.prompt = (c.bytes-c.skipped)/bytesOfToken + c.data*tokensOfData
}
