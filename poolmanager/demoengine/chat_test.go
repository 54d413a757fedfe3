package demoengine

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decoded reads an answer.
func decoded[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// eventsOf reads the data of a stream.
func eventsOf[T any](t *testing.T, stream string) (all []T) {
	t.Helper()
	for line := range strings.Lines(stream) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if ok && data != "[DONE]" {
			all = append(all, decoded[T](t, data))
		}
	}
	return all
}

const weather = `"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}},` +
	`{"type":"function","function":{"name":"time","parameters":{"type":"object","properties":{}}}}]`

func TestAChatCallsATool(t *testing.T) {
	base, _ := start(t, nil)
	const messages = `{"messages":[{"role":"user","content":"hi"}],`
	for name, c := range map[string]struct{ body, tool, arguments string }{
		"the first":   {messages + weather, "weather", `{"city":"[demo]"}`},
		"required":    {messages + weather + `,"tool_choice":"required"`, "weather", `{"city":"[demo]"}`},
		"the chosen":  {messages + weather + `,"tool_choice":{"type":"function","function":{"name":"time"}}`, "time", `{}`},
		"none":        {messages + weather + `,"tool_choice":"none"`, "", ""},
		"after that":  {`{"messages":[{"role":"user","content":"hi"},{"role":"tool","content":"20°"}],` + weather, "", ""},
		"at no limit": {messages + weather + `,"max_tokens":1000`, "weather", `{"city":"[demo]"}`},
	} {
		got := decoded[chatAnswer](t, text(t, base, "/v1/chat/completions", c.body+"}")).Choices[0]
		if c.tool == "" {
			if *got.Finish != "stop" || !strings.HasPrefix(*got.Message.Content, "[demo]") {
				t.Errorf("%s: got %+v", name, got)
			}
			continue
		}
		call := got.Message.ToolCalls[0]
		if *got.Finish != "tool_calls" || call.Function.Name != c.tool || call.Function.Arguments != c.arguments || call.ID == "" || call.Type != "function" || got.Message.Content != nil {
			t.Errorf("%s: got %+v", name, call)
		}
		var streamed chatCall
		for i, e := range eventsOf[chatAnswer](t, text(t, base, "/v1/chat/completions", c.body+`,"stream":true}`)) {
			for _, part := range e.Choices[0].Delta.ToolCalls {
				if streamed.ID == "" && (part.ID == "" || part.Function.Name == "" || part.Index == nil) {
					t.Errorf("%s: event %d begins the call with %+v", name, i, part)
				}
				streamed.ID += part.ID
				streamed.Type += part.Type
				streamed.Function.Name += part.Function.Name
				streamed.Function.Arguments += part.Function.Arguments
			}
		}
		if diff := cmp.Diff(call, streamed); diff != "" {
			t.Errorf("%s: whole and streamed (-want +got):\n%s", name, diff)
		}
	}
}

func TestAChatAnswersInJSON(t *testing.T) {
	base, _ := start(t, nil)
	for name, format := range map[string]string{
		"json_object": `{"type":"json_object"}`,
		"json_schema": `{"type":"json_schema","json_schema":{"name":"a","strict":true,"schema":{"type":"object","properties":{"answer":{"type":"string","minLength":200}},"required":["answer"]}}}`,
	} {
		got := decoded[chatAnswer](t, text(t, base, "/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}],"response_format":`+format+`}`)).Choices[0]
		answer := decoded[struct{ Answer string }](t, *got.Message.Content)
		if !strings.HasPrefix(answer.Answer, "[demo]") || *got.Finish != "stop" || name == "json_schema" && len(answer.Answer) != 200 {
			t.Errorf("%s: got %+v, %s", name, answer, *got.Finish)
		}
	}
}

func TestAChatHasSeveralAnswersWithProbabilitiesAndReasoning(t *testing.T) {
	base, _ := start(t, nil)
	const body = `{"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:,"}}]}],"n":2,"max_completion_tokens":12,"logprobs":true,"top_logprobs":2,"reasoning_effort":"low"`
	got := decoded[chatAnswer](t, text(t, base, "/v1/chat/completions", body+"}"))
	usage := decoded[openAIUsage](t, string(got.Usage))
	if len(got.Choices) != 2 || *got.Choices[0].Message.Content == *got.Choices[1].Message.Content || usage.CompletionTokens != 24 || usage.CompletionDetails.Reasoning != 2*len(thoughts) || usage.PromptTokens == 0 {
		t.Errorf("got %+v, usage %+v", got.Choices, usage)
	}
	for _, c := range got.Choices {
		if c.Message.Reasoning == "" || len(c.Logprobs.Content) != 12-len(thoughts) || len(c.Logprobs.Content[0].Top) != 2 || *c.Finish != "length" {
			t.Errorf("got %+v", c)
		}
	}
	events := eventsOf[chatAnswer](t, text(t, base, "/v1/chat/completions", body+`,"stream":true,"stream_options":{"include_usage":true}}`))
	texts := [2]string{}
	for _, e := range events {
		for _, c := range e.Choices {
			if c.Delta.Content != nil {
				texts[c.Index] += *c.Delta.Content
			}
		}
	}
	if want := [2]string{*got.Choices[0].Message.Content, *got.Choices[1].Message.Content}; texts != want {
		t.Errorf("streamed %q, whole %q", texts, want)
	}
	last := events[len(events)-1]
	if len(last.Choices) != 0 || decoded[openAIUsage](t, string(last.Usage)) != usage {
		t.Errorf("the last event: got %+v", last)
	}
}

func TestWhatAChatCannotAnswerIsRefusedWithACode(t *testing.T) {
	base, _ := start(t, func(s *settings) { s.context = 10 })
	for code, body := range map[string]string{
		"context_length_exceeded": `{"messages":[{"role":"user","content":"` + strings.Repeat("a ", 20) + `"}],"stream":true}`,
		"invalid_value":           `{"messages":[]}`,
	} {
		response := do(t, t.Context(), "POST", base+"/v1/chat/completions", testKey, body)
		var problem struct {
			Error struct{ Code, Message string }
		}
		if err := json.NewDecoder(response.Body).Decode(&problem); err != nil || response.StatusCode != 400 || problem.Error.Code != code || problem.Error.Message == "" {
			t.Errorf("got %d %+v, %v, want 400 %s", response.StatusCode, problem, err, code)
		}
	}
}

func TestACompletionHasProbabilitiesAndEcho(t *testing.T) {
	base, _ := start(t, nil)
	got := decoded[textAnswer](t, text(t, base, "/v1/completions", `{"prompt":["say"],"max_tokens":3,"logprobs":2,"echo":true}`)).Choices[0]
	if got.Text != "say[demo] not a" || len(got.Logprobs.Tokens) != 3 || len(got.Logprobs.TopLogprobs[0]) != 2 || got.Logprobs.TextOffset[2] != len("[demo] not") || *got.Finish != "length" {
		t.Errorf("got %+v, %+v", got, got.Logprobs)
	}
}
