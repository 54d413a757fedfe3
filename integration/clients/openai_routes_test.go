package clients_test

import (
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
)

func openaiCompletions(t *testing.T, s site) {
	c := s.openai(s.user)
	params := openai.CompletionNewParams{
		Model: "demo", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String(hello)}, MaxTokens: openai.Int(7),
	}
	whole, err := c.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if got := whole.Choices[0]; !strings.HasPrefix(got.Text, "[demo]") || got.FinishReason != "length" || whole.Usage.CompletionTokens != 7 || whole.Model != "demo" {
		t.Errorf("whole: got %s", whole.RawJSON())
	}
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := c.Completions.NewStreaming(t.Context(), params)
	defer stream.Close()
	text, tokens := "", int64(0)
	for stream.Next() {
		chunk := stream.Current()
		for _, choice := range chunk.Choices {
			text += choice.Text
		}
		tokens += chunk.Usage.CompletionTokens
	}
	if stream.Err() != nil || text != whole.Choices[0].Text || tokens != 7 {
		t.Errorf("streamed: got %q and %d tokens, %v, want %q and 7", text, tokens, stream.Err(), whole.Choices[0].Text)
	}
}

func openaiEmbeddings(t *testing.T, s site) {
	c := s.openai(s.user)
	for _, format := range []openai.EmbeddingNewParamsEncodingFormat{"", openai.EmbeddingNewParamsEncodingFormatFloat} {
		got, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
			Model: "demo", EncodingFormat: format, Dimensions: openai.Int(16),
			Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two words"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Data) != 2 || len(got.Data[1].Embedding) != 16 || got.Data[1].Index != 1 || got.Usage.PromptTokens != 3 || got.Model != "demo" {
			t.Errorf("format %q: got %s", format, got.RawJSON())
		}
	}
}

func openaiModels(t *testing.T, s site) {
	c := s.openai(s.user)
	var names []string
	list := c.Models.ListAutoPaging(t.Context())
	for list.Next() {
		names = append(names, list.Current().ID)
	}
	if list.Err() != nil || len(names) != 1 || names[0] != "demo" {
		t.Errorf("list: got %q, %v, want demo", names, list.Err())
	}
	if one, err := c.Models.Get(t.Context(), "demo"); err != nil || one.ID != "demo" || one.Object != "model" || one.OwnedBy == "" {
		t.Errorf("one: got %+v, %v", one, err)
	}
	for _, name := range []string{"nope", "meta-llama/Llama-3", "llama3:8b"} {
		_, err := c.Models.Get(t.Context(), name)
		wantOpenAIError(t, "a model that is not there", err, 404, "model_not_found")
	}
}
