package clients_test

import (
	"io"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

// openaiStored names a response of before: in the next turn, and by its id. To another
// identity it is not there.
func openaiStored(t *testing.T, s site) {
	c, other := s.openai(s.user), s.openai(s.late[3])
	first, err := c.Responses.New(t.Context(), responseParams(hello))
	if err != nil {
		t.Fatal(err)
	}
	next := responseParams("And again.")
	next.PreviousResponseID = openai.String(first.ID)
	second, err := c.Responses.New(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	var again string
	// This SDK asks in a body, which a GET has no use for.
	stream := c.Responses.GetStreaming(t.Context(), first.ID, responses.ResponseGetParams{}, openaioption.WithQuery("stream", "true"))
	for stream.Next() {
		again = stream.Current().Type
	}
	if stream.Err() != nil || again != "response.completed" {
		t.Errorf("first turn, streamed again: ends with %q, %v, want response.completed", again, stream.Err())
	}
	if second.Usage.InputTokens <= first.Usage.InputTokens+first.Usage.OutputTokens {
		t.Errorf("second turn: it read %d tokens, want all of the first turn (%d and %d) and more", second.Usage.InputTokens, first.Usage.InputTokens, first.Usage.OutputTokens)
	}
	if kinds, text, last := streamedResponse(t, c, next); text != second.OutputText() || last.PreviousResponseID != first.ID || kinds[len(kinds)-1] != "response.completed" {
		t.Errorf("second turn, streamed: got %q and %s", text, last.RawJSON())
	}
	_, err = other.Responses.New(t.Context(), next)
	wantOpenAIError(t, "another identity's turn", err, 404, "RESPONSE_NOT_FOUND")

	if got, err := c.Responses.Get(t.Context(), first.ID, responses.ResponseGetParams{}); err != nil || got.OutputText() != first.OutputText() || got.Model != "demo" || got.ID != first.ID {
		t.Errorf("by its id: got %+v, %v", got, err)
	}
	items, err := c.Responses.InputItems.List(t.Context(), first.ID, responses.InputItemListParams{})
	if err != nil || len(items.Data) != 1 || !strings.Contains(items.Data[0].RawJSON(), hello) {
		t.Errorf("its input: got %+v, %v", items, err)
	}
	_, err = c.Responses.Cancel(t.Context(), first.ID)
	wantOpenAIError(t, "canceling one that does not run in the background", err, 400, "invalid_value")
	_, err = other.Responses.Get(t.Context(), first.ID, responses.ResponseGetParams{})
	wantOpenAIError(t, "another identity", err, 404, "RESPONSE_NOT_FOUND")
	wantOpenAIError(t, "another identity's deletion", other.Responses.Delete(t.Context(), first.ID), 404, "RESPONSE_NOT_FOUND")
	if err := c.Responses.Delete(t.Context(), first.ID); err != nil {
		t.Errorf("deleting it: %v", err)
	}
	_, err = c.Responses.Get(t.Context(), first.ID, responses.ResponseGetParams{})
	wantOpenAIError(t, "one that is deleted", err, 404, "")
}

// rerank has no client of its own: the route is plain HTTP.
func rerank(t *testing.T, s site) {
	res := s.open(t, "/v1/rerank", `{"model":"demo","query":"blue sky","documents":["a red door","the sky is blue"],"top_n":2}`)
	text, err := io.ReadAll(res.Body)
	if err != nil || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") || !strings.Contains(string(text), `"relevance_score"`) || !strings.Contains(string(text), `"model":"demo"`) {
		t.Errorf("got %v %s, %v", res.Header, text, err)
	}
	got, err := s.record(res.Header.Get("X-Task-Id"))
	if err != nil || got.State != "completed" {
		t.Errorf("its record: %+v, %v", got, err)
	}
}
