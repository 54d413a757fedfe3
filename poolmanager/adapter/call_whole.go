package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"regexp"
	"unicode/utf8"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// validID is what an engine may call a response: it becomes part of a path.
var validID = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._:-]{0,255}$`)

// ValidObject reports whether text may be the {id} in an operation's path.
func ValidObject(text string) bool { return validID.MatchString(text) }

// readWhole passes on an answer that comes in one piece.
func (r *callReader) readWhole(ctx context.Context, body io.Reader) error {
	if kind := media(r.kind); kind == mediaEvents || kind == mediaLines {
		return r.fail("the engine answered a request for one answer with events")
	}
	r.begun = true
	text, err := io.ReadAll(io.LimitReader(body, maxWhole))
	if err == nil && len(text) == maxWhole && isObject(text) {
		return r.readLarge(ctx, text, body)
	}
	if err == nil && len(text) == maxWhole {
		var more []byte
		more, err = io.ReadAll(io.LimitReader(body, int64(r.call.MaxAnswer)+1-maxWhole))
		text = append(text, more...)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return r.reset(err)
	case len(text) > r.call.MaxAnswer:
		return r.tooLarge()
	}
	if r.call.generates() && len(bytes.TrimSpace(text)) == 0 {
		return r.fail("the engine's answer is empty")
	}
	if isJSON(r.kind) || isObject(text) || r.call.generates() || isPage(r.kind) {
		if text, err = r.wholeJSON(text); err != nil {
			return err
		}
	}
	if !utf8.Valid(text) {
		return r.fail("the engine's answer is not UTF-8")
	}
	return r.send(nodeapi.FrameData, nodeapi.FrameData, text, true, true)
}

// wholeJSON reads an answer and gives it as the client gets it.
func (r *callReader) wholeJSON(text []byte) ([]byte, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return text, nil
	}
	edits, object := r.scanned(text)
	if !object {
		if !json.Valid(text) {
			return nil, r.fail("the engine's answer (" + kind(r.kind) + ") is not JSON: " + r.target.words(text[:min(len(text), maxErrorBytes)], len(text) > maxErrorBytes))
		}
		return text, nil // a list, as some engines' reranking gives
	}
	if err := r.judgeWhole(text); err != nil {
		return nil, err
	}
	if len(edits) == 0 {
		return text, nil
	}
	return apply(nil, text, edits), nil
}

// judgeWhole reads the figures of an answer, or its error.
func (r *callReader) judgeWhole(text []byte) error {
	switch r.call.Operation.Protocol {
	case nodeapi.Ollama:
		_, err := r.judgeOllama(text)
		return err
	case nodeapi.Responses:
		return r.wholeResponse(text)
	}
	answer := object(text)
	if present(answer["error"]) || word(answer["object"]) == "error" || word(answer["type"]) == "error" {
		return r.said(text)
	}
	r.usage.read(answer["usage"])
	r.finished(word(answer["stop_reason"]))
	r.counted(answer) // of messages/count_tokens
	var choices []openAIChoice
	if json.Unmarshal(answer["choices"], &choices) == nil {
		for _, c := range choices {
			r.finished(word(c.Finish))
		}
	}
	return nil
}

// counted reads the answer of a route that counts tokens.
func (r *callReader) counted(answer map[string]json.RawMessage) {
	var tokens count
	if json.Unmarshal(answer["input_tokens"], &tokens) == nil {
		r.usage.in.take(tokens)
	}
}

// isPage reports whether a content type is that of a page for people: a proxy's, or that
// of something else than an engine.
func isPage(header string) bool {
	kind := media(header)
	return kind == "text/html" || kind == "application/xhtml+xml"
}

// wholeResponse reads a response. It tells of a failure in itself: that passes, and the
// call counts as failed.
func (r *callReader) wholeResponse(text []byte) error {
	answer := object(text)
	if word(answer["object"]) != "response" && present(answer["error"]) {
		return r.said(text)
	}
	switch r.call.Operation.Name {
	case "responses":
		r.response(answer)
		r.finished(word(answer["status"]))
	case "responses-compact": // its id names no response that could be asked for
		r.usage.read(answer["usage"])
	case "responses-input-tokens":
		r.counted(answer)
	}
	return nil
}
