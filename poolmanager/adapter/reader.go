package adapter

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// maxLineBytes bounds one event of an engine; a token is a few hundred bytes,
// llama.cpp's last event repeats the settings and the prompt (at most 1 MiB).
const maxLineBytes = 4 << 20

// reader turns an engine's event stream into pieces of text and a result. What is
// no event of the dialect ends the task: an answer with a part left out must not be
// told as whole.
type reader struct {
	chat   bool
	llama  bool
	target Target
	kind   string // the answer's content type, for errors
	emit   func(string) error
	made   func() // notes progress other than text

	lines  *bufio.Scanner
	body   io.Reader
	alike  alike
	result Result
	pieces int
	event  string // the name of the event whose data comes
	begun  bool   // an event has come
	ended  bool   // the engine said how the answer ended
	moved  bool   // progress other than text has come
	last   bool   // the line is the last one, and has no end
}

var (
	errNoEnd   = errors.New("the stream ended before the answer")
	errNoDone  = errors.New("the stream ended without [DONE]")
	errMidLine = errors.New("the stream ended in the middle of an event")
)

func (r *reader) read(ctx context.Context, body io.Reader) (Result, error) {
	lines := bufio.NewScanner(body)
	r.lines, r.body = lines, body
	lines.Buffer(make([]byte, 0, 4096), maxLineBytes)
	lines.Split(func(data []byte, atEnd bool) (int, []byte, error) {
		advance, line, err := bufio.ScanLines(data, atEnd)
		r.last = atEnd && advance > 0 && data[advance-1] != '\n'
		if r.last && lines.Err() != nil {
			return advance, nil, nil // it was cut: nothing can be made of it
		}
		return advance, line, err
	})
	for lines.Scan() {
		done, err := r.line(lines.Bytes())
		if errors.Is(err, errMidLine) {
			return r.total(), r.broken(ctx, err)
		}
		if err != nil && ctx.Err() != nil {
			return r.total(), context.Cause(ctx)
		}
		if err != nil || done {
			return r.total(), err
		}
	}
	err := lines.Err()
	switch {
	case err != nil:
	case !r.begun && ctx.Err() == nil && r.noStream():
		return r.total(), r.failed("the engine answered a request for a stream with " + kind(r.kind) + " that is empty")
	case r.ended:
		err = errNoDone
	default:
		err = errNoEnd
	}
	return r.total(), r.broken(ctx, err)
}

// noStream reports whether the content type names something else than events.
func (r *reader) noStream() bool {
	return r.kind != "" && !strings.EqualFold(kind(r.kind), "text/event-stream")
}

// bare refuses a [DONE] that ends nothing: no text came, no progress, and no word for
// how the answer ended. llama.cpp's own route ends with stop and never with [DONE].
func (r *reader) bare() error {
	if r.ended || !r.llama && (r.pieces > 0 || r.moved) {
		return nil
	}
	return r.failed("the engine sent [DONE] without an answer before it")
}

func (r *reader) broken(ctx context.Context, err error) error {
	return r.target.failure(ctx, ClassReset, "the engine's stream broke", err)
}

// line reads one line of the event stream format. Of its fields only data and event
// are used; a line without a field of the format is not part of an event stream.
func (r *reader) line(line []byte) (done bool, err error) {
	if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
		r.begun = true
		return r.data(bytes.TrimSpace(data))
	}
	field, value, _ := bytes.Cut(line, []byte(":"))
	switch string(field) {
	case "": // the end of an event, or a comment
		if len(line) == 0 {
			r.event = ""
		}
	case "event":
		r.event = string(bytes.TrimSpace(value))
	case "id", "retry":
	case "error": // llama.cpp before 2025
		return false, r.failed(r.target.message(value, false))
	default:
		return false, r.foreign(line)
	}
	return false, nil
}

func (r *reader) failed(message string) error {
	return &Error{Class: ClassFailed, Message: message}
}

func (r *reader) data(data []byte) (done bool, err error) {
	if bytes.Equal(data, []byte("[DONE]")) {
		return true, r.bare()
	}
	switch r.event {
	case "error":
		return false, r.failed(r.target.message(data, false))
	case "ping", "keep-alive", "keepalive", "heartbeat":
		return false, nil
	}
	if len(data) == 0 { // the format's own rule: it is no event
		return false, nil
	}
	if text, ok := r.alike.text(data); ok {
		return false, r.piece(text)
	}
	c, err := r.parse(data)
	if err != nil {
		return false, err
	}
	if text, ok := r.only(c); ok {
		r.alike.learn(data, text, r.decode)
	}
	if r.llama {
		return r.llamaChunk(c)
	}
	return false, r.openAIChunk(c)
}

// parse refuses what is no event of the dialect.
func (r *reader) parse(data []byte) (chunk, error) {
	var c chunk
	if err := json.Unmarshal(data, &c); err != nil || data[0] != '{' {
		if r.last {
			return c, errMidLine
		}
		what := "the engine sent an event that is not JSON"
		if json.Valid(data) {
			what = "the engine sent JSON that is no event of an answer"
		}
		return c, r.failed(what + ": " + r.target.words(data, false))
	}
	if present(c.Error) {
		return c, r.failed(r.target.message(data, false))
	}
	if !r.known(c) {
		return c, r.failed("the engine sent JSON that is no event of an answer: " + r.target.message(data, false))
	}
	return c, nil
}

// only gives the text of an event that says nothing else.
func (r *reader) only(c chunk) (text string, ok bool) {
	switch {
	case len(c.Error) > 0 || !r.known(c):
		return "", false
	case r.llama:
		return *c.Content, !c.Stop
	case c.Usage != nil || len(c.Choices) != 1 || c.Choices[0].FinishReason != "" || c.Choices[0].Delta.moves():
		return "", false
	}
	return r.choice(c.Choices[0]), true
}

func (r *reader) decode(event []byte) (text string, ok bool) {
	var c chunk
	if json.Unmarshal(event, &c) != nil {
		return "", false
	}
	return r.only(c)
}

func (r *reader) choice(c choice) string {
	if r.chat {
		return c.Delta.Content
	}
	return c.Text
}

func (r *reader) llamaChunk(c chunk) (done bool, err error) {
	if c.Content != nil {
		if err := r.piece(*c.Content); err != nil {
			return false, err
		}
	}
	if !c.Stop {
		return false, nil
	}
	r.result = Result{TokensIn: c.TokensEvaluated, TokensOut: c.TokensPredicted}
	word := c.StopType
	switch { // llama.cpp before 2025 has a member for each word
	case word == "" && c.StoppedLimit:
		word = "limit"
	case word == "":
		word = "stop"
	}
	r.result.FinishReason, err = finish(word)
	return err == nil, err
}

func (r *reader) openAIChunk(c chunk) error {
	if c.Usage != nil {
		r.result.TokensIn, r.result.TokensOut = c.Usage.PromptTokens, c.Usage.CompletionTokens
	}
	for _, choice := range c.Choices {
		if choice.Delta.moves() {
			r.moved = true
			r.made()
		}
		if err := r.piece(r.choice(choice)); err != nil {
			return err
		}
		if choice.FinishReason != "" {
			reason, err := finish(choice.FinishReason)
			if err != nil {
				return err
			}
			r.result.FinishReason, r.ended = reason, true
		}
	}
	return nil
}

func (r *reader) piece(text string) error {
	if text == "" {
		return nil
	}
	r.pieces++
	return r.emit(text)
}

func (r *reader) total() Result {
	if r.result.TokensOut == 0 {
		r.result.TokensOut = r.pieces
	}
	if r.result.FinishReason == "" {
		r.result.FinishReason = "stop"
	}
	return r.result
}
