package clients_test

import (
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
)

// fetchedImages: a response and a message take an image that is in them, and none that the
// engine would have to fetch with the operator's network.
func fetchedImages(t *testing.T, s site) {
	const elsewhere = "http://192.0.2.1/image.png"
	c := s.openai(s.user)
	image := func(url string) responses.ResponseNewParams {
		content := responses.ResponseInputMessageContentListParam{
			responses.ResponseInputContentParamOfInputText(hello), responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto),
		}
		content[1].OfInputImage.ImageURL = openai.String(url)
		params := responseParams("")
		params.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(content, responses.EasyInputMessageRoleUser)}}
		return params
	}
	if got, err := c.Responses.New(t.Context(), image("data:image/png;base64,"+pixel)); err != nil || got.OutputText() == "" {
		t.Errorf("a response with an image: got %+v, %v", got, err)
	}
	_, err := c.Responses.New(t.Context(), image(elsewhere))
	wantOpenAIError(t, "a response with an address", err, 400, "MEMBER_NOT_ALLOWED")
	stream := c.Responses.NewStreaming(t.Context(), image(elsewhere))
	stream.Next()
	wantOpenAIError(t, "a response with an address, streamed", stream.Err(), 400, "MEMBER_NOT_ALLOWED")

	a := s.anthropic(s.user)
	_, err = a.Messages.New(t.Context(), messageParams(anthropic.NewUserMessage(anthropic.NewTextBlock(hello),
		anthropic.NewImageBlock(anthropic.URLImageSourceParam{URL: elsewhere}))))
	wantAnthropicStatus(t, "a message with an address", err, 400)
}

// anthropicStructured wants an answer that is an instance of a schema.
func anthropicStructured(t *testing.T, s site) {
	c := s.anthropic(s.user)
	params := messageParams()
	params.MaxTokens = 100
	params.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: weather}
	whole, err := c.Messages.New(t.Context(), params)
	if err != nil || len(whole.Content) != 1 || whole.StopReason != anthropic.StopReasonEndTurn {
		t.Fatalf("got %+v, %v, want one text", whole, err)
	}
	checkWeather(t, whole.Content[0].Text)
	_, streamed := streamedMessage(t, c, params)
	if len(streamed.Content) != 1 {
		t.Fatalf("streamed: got %+v, want one text", streamed)
	}
	checkWeather(t, streamed.Content[0].Text)
	params.OutputConfig.Format.Schema = map[string]any{"type": "dict"}
	_, err = c.Messages.New(t.Context(), params)
	wantAnthropicStatus(t, "a type of no schema", err, 400)
}
