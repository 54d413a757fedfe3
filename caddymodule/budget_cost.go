package caddymodule

import (
	"net/http"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/jsonbody"
	"github.com/llorch/gateway/caddymodule/budget"
)

// tokensOfData is what is reserved for a data URL, or a file of a form: images and sounds do
// not cost by their bytes.
const tokensOfData = 1000

// wholeHead is the size of a string of which the scanner gives all: half of a token would not
// be recognised in a record.
const wholeHead = 256

// requestCost is what a request may cost, as far as it says.
type requestCost struct {
	path    string // of the request
	bytes   int64  // of the body
	data    int64  // data URLs
	skipped int64  // bytes of the data URLs
	prompt  int64  // tokens
	limit   int64  // the largest limit of one answer, in tokens; 0: the request names none
	limited bool   // limit is one that the route's protocol has: it may be below budget_reserve
	answers int64

	modelIn [][]string // paths of the members that name the model, where no check of models reads it
	model   string     // the first that was found, for the record of usage
}

// mediaMembers are the members whose data URLs engines read as images, sounds and videos.
// Elsewhere a data URL is text, and counts as text.
var mediaMembers = map[string]bool{
	"messages.content.image_url.url": true, "messages.content.image_url": true, // chat
	"messages.content.video_url.url": true, "messages.content.audio_url.url": true,
	"messages.content.input_audio.data": true, "messages.content.file.file_data": true,
	"messages.content.source.data": true, "messages.content.source.url": true, // Anthropic
	"messages.images": true, "images": true, // Ollama
	"input.content.image_url": true, "input.content.file_data": true, // Responses
	"image_data": true, "image_data.data": true, "image_data.url": true, "video_data": true, "audio_data": true, // SGLang
}

// scanner returns a scanner for these members and for what a request may cost.
func (c *requestCost) scanner(members []string) *jsonbody.Scanner {
	watched := make([]string, 0, len(members)+len(costMembers))
	watched = append(append(watched, members...), costMembers...)
	var s *jsonbody.Scanner
	s = jsonbody.New(jsonbody.Options{Watch: watched, String: func(path []string, head string) error {
		if c.model == "" && s.StringSize() <= wholeHead && slices.ContainsFunc(c.modelIn, func(in []string) bool { return slices.Equal(in, path) }) {
			c.model = head
		}
		if isMedia(head) && mediaMembers[strings.TrimPrefix(strings.Join(path, "."), nativeBody)] {
			c.data++
			c.skipped += s.StringSize()
		}
		return nil
	}})
	return s
}

// isMedia reports whether a string begins as a data URL in base64 of an image, a sound or a
// video does.
func isMedia(head string) bool {
	kind, content, ok := strings.Cut(head, ",")
	kind = strings.ToLower(kind)
	if !ok || !strings.HasSuffix(kind, ";base64") || strings.ContainsAny(kind, " \t\r\n") {
		return false
	}
	of, _, _ := strings.Cut(kind, "/")
	if of != "data:image" && of != "data:audio" && of != "data:video" && kind != "data:;base64" { // Ollama reads an image without a type
		return false
	}
	return strings.IndexFunc(content, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("+/=-_", r)
	}) < 0
}

// close ends the reading of a body, and takes the costs from its scanner.
func (c *requestCost) close(s *jsonbody.Scanner) *authmin.Problem {
	if err := s.Close(); err != nil {
		return costProblem(ambiguousModel(err.Error()))
	}
	return c.read(s)
}

// read takes the costs from a scanner that has read the body.
func (c *requestCost) read(s *jsonbody.Scanner) *authmin.Problem {
	c.bytes = s.Safe()
	for _, in := range []string{"", nativeBody} {
		if m, ok := s.Member(in + memberBackground); ok && m.Kind != jsonbody.False && m.Kind != jsonbody.Null {
			return &problemUncounted
		}
	}
	if problem := c.readLimits(s); problem != nil {
		return problem
	}
	answers, problem := readAnswers(s)
	if problem != nil {
		return problem
	}
	c.answers = budget.Multiply(answers, promptsIn(s))
	c.prompt = (c.bytes-c.skipped)/bytesPerToken + c.data*tokensOfData
	return nil
}

// answerTokens is what is reserved for the answer.
func (c *requestCost) answerTokens(reserve int64) int64 {
	one := c.limit
	if !c.limited {
		one = max(one, reserve)
	}
	return budget.Multiply(max(1, c.answers), one)
}

// usualAnswer is what the answers may take when the engine does not heed the limit of the
// request.
func (c *requestCost) usualAnswer(reserve int64) int64 {
	return budget.Multiply(max(1, c.answers), reserve)
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
	c.prompt = (c.bytes-c.skipped)/bytesPerToken + c.data*tokensOfData
}
