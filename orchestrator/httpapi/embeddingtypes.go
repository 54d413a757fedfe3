package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// EmbeddingRequest is the part of OpenAI's embedding request that we honour.
type EmbeddingRequest struct {
	_              struct{}        `additionalProperties:"true"`
	Model          string          `json:"model" minLength:"1" maxLength:"256"`
	Input          EmbeddingInput  `json:"input"`
	EncodingFormat string          `json:"encoding_format,omitempty" enum:"float,base64" default:"float" doc:"base64 is of little-endian 32-bit floats"`
	Dimensions     json.RawMessage `json:"dimensions,omitempty" doc:"Refused: a vector is as long as the model makes it"`
}

// EmbeddingInput is a text or a list of texts. OpenAI's other two forms, lists of
// token ids, are read in order to be refused by name.
type EmbeddingInput struct {
	texts  []string
	tokens bool
}

// Schema is for huma. It lets everything through that UnmarshalJSON can name.
func (EmbeddingInput) Schema(huma.Registry) *huma.Schema {
	text := &huma.Schema{Type: huma.TypeString}
	most := nodeapi.MaxInputs
	return &huma.Schema{
		Description: fmt.Sprintf("A text, or 1 to %d of them, none empty. Token ids are refused", most),
		OneOf:       []*huma.Schema{text, {Type: huma.TypeArray, Items: &huma.Schema{}}},
	}
}

// UnmarshalJSON takes either, and notes lists of token ids.
func (in *EmbeddingInput) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		in.texts = []string{one}
		return nil
	}
	if json.Unmarshal(text, &in.texts) == nil {
		return nil
	}
	in.texts, in.tokens = nil, true
	return nil
}

func (r EmbeddingRequest) task() (orchestrator.TaskRequest, error) {
	switch {
	case r.Input.tokens:
		return orchestrator.TaskRequest{}, newProblem(http.StatusUnprocessableEntity, "TOKENS_NOT_SUPPORTED",
			"input is a text or a list of texts; token ids mean something to one model's tokenizer alone")
	case len(r.Dimensions) > 0 && !bytes.Equal(r.Dimensions, []byte("null")):
		return orchestrator.TaskRequest{}, newProblem(http.StatusUnprocessableEntity, "DIMENSIONS_NOT_SUPPORTED",
			"leave dimensions out: a vector is as long as the model makes it")
	}
	return orchestrator.TaskRequest{ModelRef: r.Model, Workload: orchestrator.Embedding, Inputs: r.Input.texts}, nil
}

type openaiEmbedding struct {
	Object    string          `json:"object"`
	Index     int             `json:"index"`
	Embedding embeddingVector `json:"embedding"`
}

type openaiEmbeddings struct {
	Object string            `json:"object"`
	Data   []openaiEmbedding `json:"data" nullable:"false"`
	Model  string            `json:"model"`
	Usage  embeddingUsage    `json:"usage"`
}

// embeddingUsage has no completion_tokens: there are none.
type embeddingUsage struct {
	PromptTokens int `json:"prompt_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

// embeddingVector is a vector as the caller wants it: a list of numbers, or a
// string.
type embeddingVector json.RawMessage

// Schema is for huma: one of the two.
func (embeddingVector) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeNumber}},
		{Type: huma.TypeString, ContentEncoding: "base64"},
	}}
}

// MarshalJSON gives what was read.
func (v embeddingVector) MarshalJSON() ([]byte, error) { return v, nil }

// encoded gives a vector in the format asked for. Floats go through as the
// event has them.
func encoded(vector json.RawMessage, format string) (embeddingVector, error) {
	if format != "base64" {
		return embeddingVector(vector), nil
	}
	var numbers []float32
	if err := json.Unmarshal(vector, &numbers); err != nil {
		return nil, fmt.Errorf("decoding a vector: %w", err)
	}
	raw := make([]byte, 0, 4*len(numbers))
	for _, n := range numbers {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(n))
	}
	return embeddingVector(`"` + base64.StdEncoding.EncodeToString(raw) + `"`), nil
}
