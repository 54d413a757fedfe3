package clients_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/ollama/ollama/api"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// few is how many tokens the answers here have.
const few = 7

func (s engineSite) chat() openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model: s.model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("the gate is")},
		MaxTokens: openai.Int(few), Temperature: openai.Float(0), Seed: openai.Int(1),
	}
}

func engineChat(t *testing.T, s engineSite) {
	c := s.openai(s.user)
	whole, err := c.Chat.Completions.New(t.Context(), s.chat())
	if err != nil {
		t.Fatal(err)
	}
	if got := whole.Choices[0]; whole.Model != s.model || got.FinishReason != "length" || got.Message.Role != "assistant" || got.Message.Content == "" || whole.Usage.CompletionTokens != few || whole.Usage.PromptTokens == 0 {
		t.Errorf("whole: got %s", whole.RawJSON())
	}
	for asked, want := range map[bool]int{true: 1, false: 0} {
		params := s.chat()
		if asked {
			params.StreamOptions.IncludeUsage = openai.Bool(true)
		}
		usages := 0
		streamed := accumulated(t, c.Chat.Completions.NewStreaming(t.Context(), params), func(chunk openai.ChatCompletionChunk) {
			if chunk.Model != s.model {
				t.Errorf("a chunk of %q: %s", chunk.Model, chunk.RawJSON())
			}
			if chunk.Usage.TotalTokens > 0 {
				usages++
			}
		})
		if got := streamed.Choices[0]; got.FinishReason != "length" || got.Message.Content == "" || usages != want {
			t.Errorf("streamed, usage asked for = %v: got %+v, and usage in %d chunks", asked, streamed, usages)
		}
	}
}

func engineCompletions(t *testing.T, s engineSite) {
	c := s.openai(s.user)
	params := openai.CompletionNewParams{Model: openai.CompletionNewParamsModel(s.model), Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("the gate is")}, MaxTokens: openai.Int(few)}
	whole, err := c.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Model != s.model || whole.Choices[0].Text == "" || whole.Choices[0].FinishReason != "length" || whole.Usage.CompletionTokens != few {
		t.Errorf("whole: got %s", whole.RawJSON())
	}
	stream := c.Completions.NewStreaming(t.Context(), params)
	defer stream.Close()
	text, finish := "", ""
	for stream.Next() {
		chunk := stream.Current()
		if chunk.Model != s.model || chunk.Usage.TotalTokens > 0 {
			t.Errorf("a chunk of another model, or with usage: %s", chunk.RawJSON())
		}
		for _, choice := range chunk.Choices {
			text += choice.Text
			finish += string(choice.FinishReason)
		}
	}
	if stream.Err() != nil || text == "" || finish != "length" {
		t.Errorf("streamed: got %q, %q, %v", text, finish, stream.Err())
	}
}

func engineResponses(t *testing.T, s engineSite) {
	c := s.openai(s.user)
	params := responses.ResponseNewParams{
		Model: s.model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("the gate is")}, MaxOutputTokens: openai.Int(few),
	}
	whole, err := c.Responses.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Model != s.model || whole.ID == "" || whole.OutputText() == "" || whole.Usage.OutputTokens != few {
		t.Errorf("whole: got %s", whole.RawJSON())
	}
	stream := c.Responses.NewStreaming(t.Context(), params)
	defer stream.Close()
	var kinds []string
	text := ""
	var last responses.Response
	for stream.Next() {
		ev := stream.Current()
		kinds, last = append(kinds, ev.Type), ev.Response
		if ev.Type == "response.output_text.delta" {
			text += ev.Delta
		}
	}
	end := ""
	if n := len(kinds); n > 0 {
		end = kinds[n-1]
	}
	if stream.Err() != nil || !slices.Contains(kinds, "response.created") || end != "response.completed" && end != "response.incomplete" || text == "" || last.Model != s.model || last.Usage.OutputTokens != few {
		t.Errorf("streamed: got %q, %q and %s, %v", kinds, text, last.RawJSON(), stream.Err())
	}
	_, err = c.Responses.Get(t.Context(), whole.ID, responses.ResponseGetParams{})
	if slices.Contains(s.lacks, "responses-get") {
		wantOpenAIStatus(t, "a response of an engine that keeps none", err, 404)
	} else if err != nil {
		t.Errorf("by its id: %v", err)
	}
}

func engineMessages(t *testing.T, s engineSite) {
	c := s.anthropic(s.user)
	params := anthropic.MessageNewParams{Model: s.model, MaxTokens: few, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("the gate is"))}}
	whole, err := c.Messages.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Model != s.model || whole.StopReason != "max_tokens" || len(whole.Content) != 1 || whole.Content[0].Text == "" || whole.Usage.OutputTokens != few || whole.Usage.InputTokens == 0 {
		t.Errorf("whole: got %s", whole.RawJSON())
	}
	stream := c.Messages.NewStreaming(t.Context(), params)
	defer stream.Close()
	var kinds []string
	var all anthropic.Message
	for stream.Next() {
		ev := stream.Current()
		kinds = append(kinds, ev.Type)
		if err := all.Accumulate(ev); err != nil {
			t.Fatalf("accumulating %s: %v", ev.RawJSON(), err)
		}
	}
	kinds = slices.DeleteFunc(slices.Compact(kinds), func(kind string) bool { return kind == "ping" })
	want := []string{"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"}
	if stream.Err() != nil || !slices.Equal(kinds, want) || all.Model != s.model || all.StopReason != "max_tokens" || all.Usage.OutputTokens != few || all.Usage.InputTokens == 0 {
		t.Errorf("streamed: got %q and %+v, %v", kinds, all, stream.Err())
	}
}

func engineCount(t *testing.T, s engineSite) {
	c := s.anthropic(s.user)
	messages := []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("the gate is"))}
	got, err := c.Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{Model: s.model, Messages: messages})
	switch {
	case slices.Contains(s.lacks, "messages-count-tokens"):
		wantAnthropicStatus(t, "an engine that counts no tokens", err, 404)
	case err != nil || got.InputTokens == 0:
		t.Errorf("got %+v, %v", got, err)
	}
	o := s.openai(s.user)
	params := responses.InputTokenCountParams{Model: openai.String(s.model)}
	params.Input.OfString = openai.String("the gate is")
	counted, err := o.Responses.InputTokens.Count(t.Context(), params)
	switch {
	case slices.Contains(s.lacks, "responses-input-tokens"):
		wantOpenAIStatus(t, "an engine that counts no input", err, 404)
	case err != nil || counted.InputTokens == 0:
		t.Errorf("got %+v, %v", counted, err)
	}
}

func engineEmbeddings(t *testing.T, s engineSite) {
	c := s.openai(s.user)
	got, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: s.model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two words"}}})
	switch {
	case !s.knows(nodeapi.Embeddings):
		wantOpenAIError(t, "an engine without embeddings", err, 422, "PROTOCOL_NOT_SERVED")
	case err != nil || len(got.Data) != 2 || len(got.Data[1].Embedding) == 0 || got.Model != s.model || got.Usage.PromptTokens == 0:
		t.Errorf("got %+v, %v", got, err)
	}
}

func engineOllama(t *testing.T, s engineSite) {
	c := s.ollama(t, s.user)
	if !s.knows(nodeapi.Ollama) {
		_, _, err := chatted(t.Context(), c, s.ollamaChat(true))
		if err == nil || !strings.Contains(err.Error(), "ollama") {
			t.Errorf("got %v, want that the protocol is not served", err)
		}
		return
	}
	for _, stream := range []bool{false, true} {
		all, text, err := chatted(t.Context(), c, s.ollamaChat(stream))
		if err != nil || len(all) == 0 || !stream && len(all) != 1 || text.Content == "" {
			t.Fatalf("chat, stream = %v: got %+v, %v", stream, all, err)
		}
		if last := all[len(all)-1]; !last.Done || last.DoneReason != "length" || last.EvalCount != few || last.PromptEvalCount == 0 || last.Model != s.model {
			t.Errorf("chat, stream = %v: last line: got %+v", stream, last)
		}
		said := ""
		var last api.GenerateResponse
		q := &api.GenerateRequest{Model: s.model, Prompt: "the gate is", Stream: &stream, Options: map[string]any{"num_predict": few}}
		err = c.Generate(t.Context(), q, func(line api.GenerateResponse) error { said, last = said+line.Response, line; return nil })
		if err != nil || said == "" || !last.Done || last.EvalCount != few || last.Model != s.model {
			t.Errorf("generate, stream = %v: got %q and %+v, %v", stream, said, last, err)
		}
	}
	if got, err := c.Embed(t.Context(), &api.EmbedRequest{Model: s.model, Input: []string{"one", "two words"}}); err != nil || len(got.Embeddings) != 2 || got.Model != s.model {
		t.Errorf("embed: got %+v, %v", got, err)
	}
	if got, err := c.Show(t.Context(), &api.ShowRequest{Model: s.model}); err != nil || len(got.Capabilities) == 0 || got.ModelInfo["general.architecture"] == nil {
		t.Errorf("show: got %+v, %v", got, err)
	}
	if got, err := c.List(t.Context()); err != nil || len(got.Models) != 1 || strings.TrimSuffix(got.Models[0].Name, ":latest") != s.model {
		t.Errorf("list: got %+v, %v", got, err)
	}
	loads := &api.GenerateRequest{Model: s.model}
	if err := c.Generate(t.Context(), loads, func(line api.GenerateResponse) error {
		if s.real && line.DoneReason != "load" || !line.Done {
			return fmt.Errorf("line %+v", line)
		}
		return nil
	}); err != nil && s.real {
		t.Errorf("loading the model: %v", err)
	}
}

func (s engineSite) ollamaChat(stream bool) *api.ChatRequest {
	return &api.ChatRequest{Model: s.model, Stream: &stream, Messages: []api.Message{{Role: "user", Content: "the gate is"}}, Options: map[string]any{"num_predict": few}}
}

// engineUsage looks at the figures of a record: those of the engine, not counted ones.
func engineUsage(t *testing.T, s engineSite) {
	res := s.open(t, "/v1/chat/completions", `{"model":"`+s.model+`","max_tokens":7,"stream":true,"messages":[{"role":"user","content":"the gate is"}]}`)
	pieces(t, res.Body, 0)
	testkit.Within(t, limit, "the record", func() error {
		got, err := s.record(res.Header.Get("X-Task-Id"))
		if err == nil && (got.State != "completed" || got.TokensIn == 0 || got.TokensOut != few || got.Estimated) {
			err = fmt.Errorf("record %+v", got)
		}
		return err
	})
}
