package clients_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
)

func responseParams(input string) responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: "demo", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(input)}}
}

// streamedResponse reads a stream and gives the types of its events and the answer that
// its last one has.
func streamedResponse(t *testing.T, c openai.Client, params responses.ResponseNewParams) (kinds []string, text string, last responses.Response) {
	t.Helper()
	stream := c.Responses.NewStreaming(t.Context(), params)
	defer stream.Close()
	number := int64(0)
	for stream.Next() {
		ev := stream.Current()
		if ev.SequenceNumber != number {
			t.Errorf("event %d: got number %d", number, ev.SequenceNumber)
		}
		number++
		kinds = append(kinds, ev.Type)
		if ev.Type == "response.output_text.delta" || ev.Type == "response.function_call_arguments.delta" {
			text += ev.Delta
		}
		last = ev.Response
	}
	if err := stream.Err(); err != nil {
		t.Fatalf("reading the stream: %v", err)
	}
	return kinds, text, last
}

func openaiResponses(t *testing.T, s site) {
	c := s.openai(s.user)
	whole, err := c.Responses.New(t.Context(), responseParams(hello))
	if err != nil {
		t.Fatal(err)
	}
	text := whole.OutputText()
	if whole.Status != "completed" || whole.Model != "demo" || !strings.HasPrefix(text, "[demo]") || whole.Usage.OutputTokens == 0 || whole.Usage.InputTokens == 0 {
		t.Errorf("whole: got %s", whole.RawJSON())
	}
	kinds, streamed, last := streamedResponse(t, c, responseParams(hello))
	if streamed != text || last.OutputText() != text || last.Model != "demo" || last.Usage.OutputTokens != whole.Usage.OutputTokens || last.Usage.InputTokens != whole.Usage.InputTokens {
		t.Errorf("streamed: got %q and %s", streamed, last.RawJSON())
	}
	first := []string{"response.created", "response.in_progress", "response.output_item.added", "response.content_part.added", "response.output_text.delta"}
	end := []string{"response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"}
	if n := len(kinds); n < 10 || !slices.Equal(kinds[:5], first) || !slices.Equal(kinds[n-5:], end) {
		t.Errorf("events: got %q", kinds)
	}
	params := responseParams(hello)
	params.MaxOutputTokens = openai.Int(16)
	if kinds, _, last := streamedResponse(t, c, params); kinds[len(kinds)-1] != "response.incomplete" || last.IncompleteDetails.Reason != "max_output_tokens" || last.Usage.OutputTokens != 16 {
		t.Errorf("limited: got %q and %s", kinds, last.RawJSON())
	}
}

// openaiResponsesCounted: the tokens of an input are those that its answer has; a route
// that the engine does not have is an error of the API that names it.
func openaiResponsesCounted(t *testing.T, s site) {
	c := s.openai(s.user)
	whole, err := c.Responses.New(t.Context(), responseParams(hello))
	if err != nil {
		t.Fatal(err)
	}
	for previous, least := range map[string]int64{"": whole.Usage.InputTokens, whole.ID: whole.Usage.InputTokens + 1} {
		params := responses.InputTokenCountParams{Model: openai.String("demo")}
		params.Input.OfString = openai.String(hello)
		if previous != "" {
			params.PreviousResponseID = openai.String(previous)
		}
		got, err := c.Responses.InputTokens.Count(t.Context(), params)
		if err != nil || got.Object != "response.input_tokens" || got.InputTokens < least || previous == "" && got.InputTokens != least {
			t.Errorf("after %q: got %+v, %v, want %d tokens", previous, got, err, least)
		}
	}
	_, err = c.Responses.InputTokens.Count(t.Context(), responses.InputTokenCountParams{Model: openai.String("nope"), Input: responses.InputTokenCountParamsInputUnion{OfString: openai.String("x")}})
	wantOpenAIError(t, "counted for an unknown model", err, 404, "model_not_found")
	_, err = c.Responses.Compact(t.Context(), responses.ResponseCompactParams{Model: "demo", Input: responses.ResponseCompactParamsInputUnion{OfString: openai.String(hello)}})
	wantOpenAIError(t, "compacted", err, 404, "")
	if refused, ok := errors.AsType[*openai.Error](err); ok && !strings.Contains(refused.Message, "not to have the route POST /v1/responses/compact") {
		t.Errorf("compacted: got %q, want the route that the engine lacks", refused.Message)
	}
}

func openaiResponsesTools(t *testing.T, s site) {
	c := s.openai(s.user)
	tools := []responses.ToolUnionParam{responses.ToolParamOfFunction("weather", weather, true)}
	params := responseParams(hello)
	params.Tools = tools
	first, err := c.Responses.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	_, arguments, streamed := streamedResponse(t, c, params)
	checkWeather(t, arguments)
	for how, answer := range map[string]responses.Response{"whole": *first, "streamed": streamed} {
		if len(answer.Output) != 1 || answer.Output[0].Type != "function_call" || answer.Output[0].Name != "weather" || answer.Output[0].CallID == "" {
			t.Fatalf("%s: got %s, want a call", how, answer.RawJSON())
		}
		call := answer.Output[0].AsFunctionCall()
		checkWeather(t, call.Arguments)
		next := responses.ResponseNewParams{Model: "demo", Tools: tools}
		next.Input.OfInputItemList = responses.ResponseInputParam{
			responses.ResponseInputItemParamOfMessage(hello, "user"),
			responses.ResponseInputItemParamOfFunctionCall(call.Arguments, call.CallID, call.Name),
			responses.ResponseInputItemParamOfFunctionCallOutput("21 degrees"),
		}
		next.Input.OfInputItemList[2].OfFunctionCallOutput.CallID = openai.String(call.CallID)
		second, err := c.Responses.New(t.Context(), next)
		if err != nil || !strings.HasPrefix(second.OutputText(), "[demo]") {
			t.Errorf("%s: second turn: got %+v, %v, want text", how, second, err)
		}
	}
}

func openaiResponsesStructured(t *testing.T, s site) {
	c := s.openai(s.user)
	params := responseParams(hello)
	params.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("weather", weather)
	whole, err := c.Responses.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	checkWeather(t, whole.OutputText())
	_, text, _ := streamedResponse(t, c, params)
	checkWeather(t, text)
}
