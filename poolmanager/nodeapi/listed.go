package nodeapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// MaxListed bounds how many models of one pool are told.
const MaxListed = 256

// Listing is what an engine of Ollama's protocol tells of its models.
type Listing []ListedModel

// UnmarshalJSON refuses more than MaxListed models before they are in memory, where they
// take a hundred times the space that their text does: a node may be hostile.
func (l *Listing) UnmarshalJSON(text []byte) error {
	in := json.NewDecoder(bytes.NewReader(text))
	begin, err := in.Token()
	if err != nil || begin == nil { // null is no list
		return err
	}
	if begin != json.Delim('[') {
		return fmt.Errorf("reading a list of models: it begins with %v", begin)
	}
	list := Listing{}
	for in.More() {
		if len(list) == MaxListed {
			return fmt.Errorf("a list of models has over %d", MaxListed)
		}
		var one ListedModel
		if err := in.Decode(&one); err != nil {
			return fmt.Errorf("reading a list of models: %w", err)
		}
		list = append(list, one)
	}
	*l = list
	return nil
}

// ListedModel is what an engine of Ollama's protocol tells of one of its models. A member
// that the engine does not tell is absent.
type ListedModel struct {
	Name       string         `json:"name" doc:"As the engine calls it, with its tag"`
	SizeBytes  int64          `json:"size_bytes,omitempty" doc:"Size of its files"`
	Digest     string         `json:"digest,omitempty" doc:"Its digest, in hexadecimal"`
	ModifiedAt time.Time      `json:"modified_at,omitzero" doc:"When it was last changed"`
	Details    ListedDetails  `json:"details,omitzero"`
	Running    *RunningDetail `json:"running,omitempty" doc:"Absent: it is not loaded"`
}

// ListedDetails is of what kind a model is, in Ollama's words.
type ListedDetails struct {
	Format            string `json:"format,omitempty"`
	Family            string `json:"family,omitempty"`
	ParameterSize     string `json:"parameter_size,omitempty"`
	QuantizationLevel string `json:"quantization_level,omitempty"`
}

// RunningDetail is what there is to say of a model that is loaded.
type RunningDetail struct {
	SizeBytes     int64     `json:"size_bytes,omitempty" doc:"Memory that it has"`
	VRAMBytes     int64     `json:"vram_bytes,omitempty" doc:"Of it, memory of GPUs"`
	ExpiresAt     time.Time `json:"expires_at,omitzero" doc:"When the engine unloads it if it is not used"`
	ContextLength int64     `json:"context_length,omitempty" doc:"Tokens that its context has"`
}
