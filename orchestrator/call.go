package orchestrator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// Call is what is known of a native call: an engine's own request that is queued,
// dispatched and recorded like any task. Its body is either here or in the store's
// content, in pieces.
type Call struct {
	Operation string         `json:"operation"`
	Object    string         `json:"object,omitempty"`
	Query     string         `json:"query,omitempty"`
	Previous  string         `json:"previous,omitempty"` // previous_response_id
	Unstored  bool           `json:"unstored,omitempty"` // the engine is told not to keep the response
	Stream    bool           `json:"stream,omitempty"`
	ShowUsage bool           `json:"show_usage,omitempty"`
	Places    nodeapi.Places `json:"places"`
	Header    http.Header    `json:"header,omitempty"`
	Digest    string         `json:"digest"` // SHA-256 of the body, in hex
	Bytes     int64          `json:"bytes"`  // of the body
	Body      []byte         `json:"body,omitempty"`
	Pieces    int            `json:"pieces,omitempty"`
	// Attribution names the conversation that it belongs to, see attribution.
	Attribution string `json:"attribution,omitempty"`
}

// content is what a task has in the store besides its record.
type content struct {
	Body  string `json:"body,omitempty"`  // the id of its request's body, if that is in pieces
	Bytes int64  `json:"bytes,omitempty"` // of that body
	Keep  bool   `json:"keep,omitempty"`  // its answer is kept as long as its record
	Key   string `json:"key,omitempty"`   // the name of the key that everything is encrypted with; "": nothing is
}

func (c *Call) operation() nodeapi.Operation {
	op, _ := nodeapi.FindOperation(c.Operation)
	return op
}

// identity is what makes two calls the same request.
func (c *Call) identity() string {
	text := c.Operation + "\x00" + c.Object + "\x00" + c.Digest
	if c.Query != "" {
		text += "\x00" + c.Query
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (r *TaskRequest) protocol() nodeapi.Protocol {
	if r.call == nil {
		return r.sealedProtocol
	}
	return r.call.operation().Protocol
}

// attribution names the conversation of a call, also where its content is not here; "" for none.
func (r *TaskRequest) attribution() string {
	if r.call == nil {
		return r.sealedAttribution
	}
	return r.call.Attribution
}

// storedCall is how a call is part of its task's record.
type storedCall struct {
	*Call
	Content content `json:"content,omitzero"`
}

// withCallAsPrompt gives the request as its record has it: the call is the prompt.
// Replicas of older versions write records anew, when they cancel a task or recover
// it, and keep only members that they know.
func (r *TaskRequest) withCallAsPrompt() (*TaskRequest, error) {
	text, err := json.Marshal(storedCall{r.call, r.content})
	if err != nil {
		return nil, fmt.Errorf("encoding call: %w", err)
	}
	out := *r
	out.Prompt = string(text)
	return &out, nil
}

// callFromPrompt undoes that.
func (r *TaskRequest) callFromPrompt() error {
	var c storedCall
	if err := json.Unmarshal([]byte(r.Prompt), &c); err != nil || c.Call == nil {
		return fmt.Errorf("decoding call: %w", err)
	}
	r.Prompt, r.call, r.content = "", c.Call, c.Content
	return nil
}
