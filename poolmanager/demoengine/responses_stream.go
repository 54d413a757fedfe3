package demoengine

import (
	"encoding/json"
	"fmt"
)

// responseStream makes a response item by item, and sends it as events if it streams.
type responseStream struct {
	a      ask
	answer response
	out    *eventWriter // nil: it does not stream
	begun  bool
	item   map[string]any
	kind   partKind
	all    string      // of the item that is open
	text   string      // of the whole answer
	probs  bool        // log probabilities are asked for
	likely []tokenProb // of the open item
	events []namedEvent
}

// namedEvent is an event of a stream, as it was sent.
type namedEvent struct {
	name string
	data json.RawMessage
}

func (s *responseStream) event(kind string, members map[string]any) error {
	return s.send(s.record(kind, members))
}

// record makes an event, which can be read again later.
func (s *responseStream) record(kind string, members map[string]any) namedEvent {
	members["type"], members["sequence_number"] = kind, len(s.events)
	event := namedEvent{kind, encoded(members)}
	s.events = append(s.events, event)
	return event
}

func (s *responseStream) send(event namedEvent) error {
	if s.out == nil {
		return nil
	}
	return s.out.named(event.name, event.data)
}

// at is an event that is about the open item.
func (s *responseStream) at(kind string, members map[string]any) error {
	members["output_index"], members["item_id"] = len(s.answer.Output), s.item["id"]
	if s.kind == textPart {
		members["content_index"] = 0
	}
	if s.kind == reasoningPart {
		members["summary_index"] = 0
	}
	return s.event(kind, members)
}

// start sends what is before the first token, once.
func (s *responseStream) start() error {
	if s.begun {
		return nil
	}
	s.begun = true
	for _, kind := range []string{"response.created", "response.in_progress"} {
		if err := s.event(kind, map[string]any{"response": s.answer}); err != nil {
			return err
		}
	}
	return nil
}

func (s *responseStream) token(p part) error {
	if err := s.start(); err != nil {
		return err
	}
	if s.item == nil || s.kind != p.kind {
		if err := s.begin(p.kind); err != nil {
			return err
		}
	}
	s.all += p.text
	switch p.kind {
	case reasoningPart:
		return s.at("response.reasoning_summary_text.delta", map[string]any{"delta": p.text})
	case argumentPart:
		return s.at("response.function_call_arguments.delta", map[string]any{"delta": p.text})
	}
	at := []tokenProb{}
	if s.probs {
		at = append(at, probsOf(p.text, s.answer.TopLogprobs))
		s.likely = append(s.likely, at...)
	}
	return s.at("response.output_text.delta", map[string]any{"delta": p.text, "logprobs": at})
}

// begin ends the item before and begins one of that kind.
func (s *responseStream) begin(kind partKind) error {
	if err := s.done("completed"); err != nil {
		return err
	}
	s.kind, s.all, s.likely = kind, "", []tokenProb{}
	id := func(prefix string) string { return fmt.Sprintf("%s_%s_%d", prefix, s.answer.ID, len(s.answer.Output)) }
	var part map[string]any
	added := ""
	switch kind {
	case reasoningPart:
		s.item = map[string]any{"type": "reasoning", "id": id("rs"), "summary": []any{}}
		part, added = map[string]any{"type": "summary_text", "text": ""}, "response.reasoning_summary_part.added"
	case argumentPart:
		s.item = map[string]any{"type": "function_call", "id": id("fc"), "call_id": id("call"), "name": s.a.calls().Name, "arguments": "", "status": "in_progress"}
	default:
		s.item = map[string]any{"type": "message", "id": id("msg"), "role": "assistant", "content": []any{}, "status": "in_progress"}
		part, added = map[string]any{"type": "output_text", "text": "", "annotations": []any{}, "logprobs": []any{}}, "response.content_part.added"
	}
	err := s.event("response.output_item.added", map[string]any{"output_index": len(s.answer.Output), "item": s.item})
	if err != nil || part == nil {
		return err
	}
	return s.at(added, map[string]any{"part": part})
}

// done ends the item that is open.
func (s *responseStream) done(status string) error {
	if s.item == nil {
		return nil
	}
	var ends []string
	var part map[string]any
	switch s.kind {
	case reasoningPart:
		part = map[string]any{"type": "summary_text", "text": s.all}
		s.item["summary"] = []any{part}
		ends = []string{"response.reasoning_summary_text.done", "response.reasoning_summary_part.done"}
	case argumentPart:
		s.item["arguments"], s.item["status"] = s.all, status
		ends = []string{"response.function_call_arguments.done"}
	default:
		part = map[string]any{"type": "output_text", "text": s.all, "annotations": []any{}, "logprobs": s.likely}
		s.item["content"], s.item["status"] = []any{part}, status
		ends = []string{"response.output_text.done", "response.content_part.done"}
		s.text += s.all
	}
	for i, kind := range ends {
		members := map[string]any{"part": part}
		switch {
		case s.kind == argumentPart:
			members = map[string]any{"arguments": s.all, "name": s.item["name"]}
		case i == 0:
			members = map[string]any{"text": s.all}
			if s.kind == textPart {
				members["logprobs"] = s.likely
			}
		}
		if err := s.at(kind, members); err != nil {
			return err
		}
	}
	err := s.event("response.output_item.done", map[string]any{"output_index": len(s.answer.Output), "item": s.item})
	s.answer.Output = append(s.answer.Output, s.item)
	s.item = nil
	return err
}

// finish makes the answer whole.
func (s *responseStream) finish(done whole) {
	made := done.choices[0]
	_ = s.start() // as below
	s.answer.Status = "completed"
	end := int64(created)
	s.answer.CompletedAt = &end
	if made.finish == "length" {
		s.answer.Status, s.answer.Incomplete = "incomplete", &incomplete{"max_output_tokens"}
	}
	// A failed write means that the client is gone.
	_ = s.done(s.answer.Status)
	u := &responseUsage{InputTokens: done.tokensIn, OutputTokens: made.count, TotalTokens: done.tokensIn + made.count}
	u.OutputDetails.Reasoning = made.thought
	s.answer.Usage = u
}
