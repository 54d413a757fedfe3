package adapter

import (
	"encoding/json"
	"maps"
	"strings"
)

// successes is every word by which an engine says that an answer is whole, or ended as
// its request allowed: OpenAI's finish_reason, Anthropic's stop_reason, Ollama's
// done_reason (load: nothing was asked but to load the model), and those of [finishes].
// A word that is not here passes unchanged, and the call counts as failed.
var successes = func() map[string]bool {
	all := map[string]bool{
		"tool_calls": true, "function_call": true, "content_filter": true,
		"tool_use": true, "pause_turn": true, "refusal": true, "model_context_window_exceeded": true,
		"load":      true,
		"completed": true, "incomplete": true, // status of a response
	}
	for word := range maps.Keys(finishes) {
		all[word] = true
	}
	return all
}()

// finished notes the engine's word for how the answer, or one of several, ended.
func (r *callReader) finished(word string) {
	if word == "" {
		return
	}
	r.ended, r.end.FinishReason = true, word
	if !successes[word] && r.failed == "" {
		r.failed = word
	}
}

// word is the text of a member; "" if it is not a string.
func word(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// saysBesides reports whether an object has a member with something in it, the named
// one aside.
func saysBesides(object map[string]json.RawMessage, aside string) bool {
	for name, value := range object {
		if name != aside && says(value) {
			return true
		}
	}
	return false
}

// object reads an object's members; nil if it is not an object.
func object(raw json.RawMessage) (members map[string]json.RawMessage) {
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	return members
}

// openAIChoice is one of the answers of a chat or completion.
type openAIChoice struct {
	Text   json.RawMessage `json:"text"`
	Delta  json.RawMessage `json:"delta"`
	Finish json.RawMessage `json:"finish_reason"`
}

// judgeOpenAI reads an event of a chat or a completion.
func (r *callReader) judgeOpenAI(name string, data []byte) (v verdict, err error) {
	event := object(data)
	var choices []openAIChoice
	if json.Unmarshal(event["choices"], &choices) != nil {
		choices = nil
	}
	if name == "error" || present(event["error"]) || word(event["object"]) == "error" {
		return v, r.said(data)
	}
	figures := present(event["usage"])
	r.usage.read(event["usage"])
	v.plain = !figures
	for _, c := range choices {
		v.text = v.text || says(c.Text) || saysBesides(object(c.Delta), "role")
		if finish := word(c.Finish); finish != "" {
			r.finished(finish)
			v.plain, v.comes = false, true
		}
	}
	v.drop = r.call.HideUsage && figures && len(choices) == 0
	return v, nil
}

// judgeMessages reads an event of Anthropic's messages.
func (r *callReader) judgeMessages(name string, data []byte) (v verdict, err error) {
	event := object(data)
	kind := word(event["type"])
	if kind == "" {
		kind = name
	}
	if kind == "error" || name == "error" || present(event["error"]) { // llama.cpp's error has a type of its own
		return v, r.said(data)
	}
	switch kind {
	case "ping":
	case "message_start":
		r.usage.read(object(event["message"])["usage"])
	case "content_block_delta":
		v.text = saysBesides(object(event["delta"]), "type")
		v.plain = true
	case "message_delta":
		r.finished(word(object(event["delta"])["stop_reason"]))
		r.usage.read(event["usage"])
		v.comes = true
	case "message_stop":
		v.last, r.ended = true, true
	default:
		v.comes = true
	}
	return v, nil
}

// judgeResponses reads an event of OpenAI's responses.
func (r *callReader) judgeResponses(name string, data []byte) (v verdict, err error) {
	event := object(data)
	response := object(event["response"])
	kind := word(event["type"])
	if kind == "" {
		kind = name
	}
	r.response(response)
	if kind == "error" || name == "error" || present(event["error"]) { // llama.cpp's error has a type of its own
		return v, r.said(data)
	}
	switch kind {
	case "response.failed":
		if r.pieces > 0 { // the client has a part of the answer, and this event is the API's own end
			r.finished("failed")
			v.last = true
			return v, nil
		}
		if said := response["error"]; present(said) {
			data = []byte(`{"error":` + string(said) + `}`)
		}
		return v, r.said(data)
	case "response.completed", "response.incomplete":
		r.finished(strings.TrimPrefix(kind, "response."))
		v.last = true
	case "response.created", "response.in_progress", "response.queued", "keepalive", "ping":
	default:
		v.text = strings.HasSuffix(kind, ".delta")
		v.comes, v.plain = true, v.text
	}
	return v, nil
}

// response notes what a response says of itself. One that the engine does not store cannot
// be named in another request: it gets no id here.
func (r *callReader) response(response map[string]json.RawMessage) {
	if id := word(response["id"]); ValidObject(id) {
		r.end.ResponseID = id
	}
	if string(response["store"]) == "false" {
		r.end.ResponseID = ""
	}
	r.usage.read(response["usage"])
}

// judgeOllama reads a line of Ollama's own API, or a whole answer.
func (r *callReader) judgeOllama(data []byte) (v verdict, err error) {
	line := object(data)
	if present(line["error"]) {
		return v, r.said(data)
	}
	v.text = saysBesides(object(line["message"]), "role") || says(line["response"]) || says(line["thinking"])
	for name, to := range map[string]*count{"prompt_eval_count": &r.usage.in, "eval_count": &r.usage.out} {
		var c count
		if json.Unmarshal(line[name], &c) == nil {
			to.take(c)
		}
	}
	v.last = string(line["done"]) == "true"
	v.plain = !v.last
	r.finished(word(line["done_reason"]))
	return v, nil
}
