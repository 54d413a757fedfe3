package clients_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"
)

const hello = "Say hello to the demo engine."

// weather is the schema of a tool's arguments and of structured answers.
var weather = map[string]any{
	"type": "object", "additionalProperties": false, "required": []string{"city", "unit", "days"},
	"properties": map[string]any{
		"city": map[string]any{"type": "string", "minLength": 3},
		"unit": map[string]any{"enum": []string{"celsius", "fahrenheit"}},
		"days": map[string]any{"type": "integer", "minimum": 2, "maximum": 5},
	},
}

// checkWeather fails the test unless the text is an instance of weather.
func checkWeather(t *testing.T, text string) {
	t.Helper()
	var got struct {
		City, Unit string
		Days       int
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil || len(got.City) < 3 || got.Unit != "celsius" && got.Unit != "fahrenheit" || got.Days < 2 || got.Days > 5 {
		t.Errorf("got %q, %v: no instance of the schema", text, err)
	}
}

func chatParams(messages ...openai.ChatCompletionMessageParamUnion) openai.ChatCompletionNewParams {
	if len(messages) == 0 {
		messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage(hello)}
	}
	return openai.ChatCompletionNewParams{Model: "demo", Messages: messages}
}

// accumulated reads a stream to its end; each sees every chunk.
func accumulated(t *testing.T, stream *ssestream.Stream[openai.ChatCompletionChunk], each func(openai.ChatCompletionChunk)) openai.ChatCompletion {
	t.Helper()
	defer stream.Close()
	acc := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		chunk := stream.Current()
		if !acc.AddChunk(chunk) {
			t.Fatalf("the accumulator refuses %s", chunk.RawJSON())
		}
		if each != nil {
			each(chunk)
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatalf("reading the stream: %v", err)
	}
	return acc.ChatCompletion
}

func openaiChat(t *testing.T, s site) {
	c := s.openai(s.user)
	whole, err := c.Chat.Completions.New(t.Context(), chatParams())
	if err != nil {
		t.Fatal(err)
	}
	text := whole.Choices[0].Message.Content
	if whole.Model != "demo" || !strings.HasPrefix(text, "[demo]") || whole.Choices[0].FinishReason != "stop" || whole.Usage.CompletionTokens == 0 || whole.Usage.PromptTokens == 0 {
		t.Errorf("whole: got %s", whole.RawJSON())
	}
	params := chatParams()
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	streamed := accumulated(t, c.Chat.Completions.NewStreaming(t.Context(), params), nil)
	if got := streamed.Choices[0]; got.Message.Content != text || got.FinishReason != "stop" || got.Message.Role != "assistant" || streamed.Model != "demo" {
		t.Errorf("streamed: got %+v, want the text %q", got, text)
	}
	if streamed.Usage.CompletionTokens != whole.Usage.CompletionTokens || streamed.Usage.PromptTokens != whole.Usage.PromptTokens {
		t.Errorf("usage: got %+v, want that of the whole answer", streamed.Usage)
	}
}

func openaiStreamUsage(t *testing.T, s site) {
	for asked, want := range map[bool]int{true: 1, false: 0} {
		params := chatParams()
		if asked {
			params.StreamOptions.IncludeUsage = openai.Bool(true)
		}
		with, empty := 0, 0
		c := s.openai(s.user)
		accumulated(t, c.Chat.Completions.NewStreaming(t.Context(), params), func(chunk openai.ChatCompletionChunk) {
			if chunk.Usage.TotalTokens > 0 {
				with++
			}
			if len(chunk.Choices) == 0 {
				empty++
			}
		})
		if with != want || empty != want {
			t.Errorf("asked for = %v: %d chunks with usage and %d without choices, want %d", asked, with, empty, want)
		}
	}
}

func weatherTool() openai.ChatCompletionToolUnionParam {
	return openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "weather", Parameters: weather})
}

// secondTurn gives the tool's result and wants text.
func secondTurn(t *testing.T, c openai.Client, first openai.ChatCompletion, stream bool) {
	t.Helper()
	call := first.Choices[0].Message.ToolCalls[0]
	params := chatParams(openai.UserMessage(hello), first.Choices[0].Message.ToParam(), openai.ToolMessage("21 degrees", call.ID))
	params.Tools = []openai.ChatCompletionToolUnionParam{weatherTool()}
	var second openai.ChatCompletion
	if stream {
		second = accumulated(t, c.Chat.Completions.NewStreaming(t.Context(), params), nil)
	} else {
		answer, err := c.Chat.Completions.New(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		second = *answer
	}
	if got := second.Choices[0]; got.FinishReason != "stop" || !strings.HasPrefix(got.Message.Content, "[demo]") || len(got.Message.ToolCalls) > 0 {
		t.Errorf("second turn: got %+v, want text", got)
	}
}

func checkCall(t *testing.T, answer openai.ChatCompletion) {
	t.Helper()
	got := answer.Choices[0]
	if got.FinishReason != "tool_calls" || len(got.Message.ToolCalls) != 1 {
		t.Fatalf("first turn: got %+v, want one call", got)
	}
	if call := got.Message.ToolCalls[0]; call.ID == "" || call.Type != "function" || call.Function.Name != "weather" {
		t.Errorf("first turn: got %+v, want a call of weather with an id", call)
	}
	checkWeather(t, got.Message.ToolCalls[0].Function.Arguments)
}

func openaiTools(t *testing.T, s site) {
	c := s.openai(s.user)
	params := chatParams()
	params.Tools = []openai.ChatCompletionToolUnionParam{weatherTool()}
	first, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	checkCall(t, *first)
	secondTurn(t, c, *first, false)
}

func openaiStreamedTools(t *testing.T, s site) {
	c := s.openai(s.user)
	params := chatParams()
	params.Tools = []openai.ChatCompletionToolUnionParam{weatherTool()}
	deltas := 0
	first := accumulated(t, c.Chat.Completions.NewStreaming(t.Context(), params), func(chunk openai.ChatCompletionChunk) {
		for _, choice := range chunk.Choices {
			for _, delta := range choice.Delta.ToolCalls {
				if deltas == 0 && (!delta.JSON.Index.Valid() || delta.ID == "" || delta.Function.Name != "weather") {
					t.Errorf("first delta: got %s, want index, id and name", delta.RawJSON())
				}
				deltas++
			}
		}
	})
	if deltas < 2 {
		t.Errorf("got %d deltas, want several", deltas)
	}
	checkCall(t, first)
	secondTurn(t, c, first, true)
}

func openaiStructured(t *testing.T, s site) {
	c := s.openai(s.user)
	params := chatParams()
	params.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "weather", Strict: openai.Bool(true), Schema: weather},
	}
	answer, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	checkWeather(t, answer.Choices[0].Message.Content)
	checkWeather(t, accumulated(t, c.Chat.Completions.NewStreaming(t.Context(), params), nil).Choices[0].Message.Content)
}

func openaiLogprobs(t *testing.T, s site) {
	c := s.openai(s.user)
	params := chatParams()
	params.N, params.MaxTokens, params.Logprobs, params.TopLogprobs = openai.Int(2), openai.Int(5), openai.Bool(true), openai.Int(3)
	whole, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	streamed := accumulated(t, c.Chat.Completions.NewStreaming(t.Context(), params), nil)
	texts := map[string][]string{}
	for how, answer := range map[string]openai.ChatCompletion{"whole": *whole, "streamed": streamed} {
		if len(answer.Choices) != 2 {
			t.Fatalf("%s: got %d answers, want 2", how, len(answer.Choices))
		}
		for _, choice := range answer.Choices {
			texts[how] = append(texts[how], choice.Message.Content)
			probs := choice.Logprobs.Content
			if len(probs) != 5 || choice.FinishReason != "length" {
				t.Errorf("%s: got %d log probabilities and %s, want 5 and length", how, len(probs), choice.FinishReason)
				continue
			}
			if len(probs[0].TopLogprobs) != 3 || probs[0].Logprob >= 0 || probs[0].Token != "[demo]" {
				t.Errorf("%s: first token: got %+v", how, probs[0])
			}
		}
	}
	if diff := cmp.Diff(texts["whole"], texts["streamed"]); diff != "" || texts["whole"][0] == texts["whole"][1] {
		t.Errorf("texts %q (-whole +streamed):\n%s", texts["whole"], diff)
	}
}

// pixel is a PNG of one pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func openaiImage(t *testing.T, s site) {
	c := s.openai(s.user)
	image := func(url string) openai.ChatCompletionNewParams {
		return chatParams(openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart("What is this?"), openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: url}),
		}))
	}
	answer, err := c.Chat.Completions.New(t.Context(), image("data:image/png;base64,"+pixel))
	if err != nil || answer.Choices[0].FinishReason != "stop" {
		t.Errorf("an image: got %+v, %v", answer, err)
	}
	_, err = c.Chat.Completions.New(t.Context(), image("http://192.0.2.1/image.png"), openaioption.WithMaxRetries(0))
	wantOpenAIError(t, "an image of another server", err, 400, "MEMBER_NOT_ALLOWED")
}
