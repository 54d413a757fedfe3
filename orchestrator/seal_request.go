package orchestrator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// requestContent is what a request says to the engine. The body of a call follows it,
// after a newline, as it is.
type requestContent struct {
	Prompt   string            `json:"prompt,omitempty"`
	Messages []nodeapi.Message `json:"messages,omitempty"`
	Inputs   []string          `json:"inputs,omitempty"`
	Stop     []string          `json:"stop,omitempty"`
	Call     *Call             `json:"call,omitempty"`
}

// sealRequest gives the request a key, unless it has one, and encrypts its content for
// its record. Until every replica can read that, it is left as it is.
func (o *Orchestrator) sealRequest(ctx context.Context, r *TaskRequest) (err error) {
	if r.content.Key == "" {
		if r.content.Key, err = o.seals.newKey(ctx); err != nil || r.content.Key == "" {
			return err
		}
	}
	said, body := requestContent{r.Prompt, r.Messages, r.Inputs, r.Stop, nil}, []byte(nil)
	if r.call != nil {
		call := *r.call
		body, call.Body = call.Body, nil
		said.Call = &call
	}
	text, err := encodeJSON(said) // it ends with the newline
	if err != nil {
		return fmt.Errorf("encoding request: %w", err)
	}
	r.sealed, err = o.seals.seal(ctx, r.content.Key, r.TaskID, append(text, body...))
	return err
}

// openRequest gives a request with its content.
func (o *Orchestrator) openRequest(ctx context.Context, task Task, r *TaskRequest) (*TaskRequest, error) {
	if r.sealed == nil || !r.bare {
		return r, nil
	}
	text, err := o.seals.open(ctx, task.content.Key, task.TaskID, r.sealed)
	if err != nil {
		return nil, err
	}
	head, body, _ := bytes.Cut(text, []byte("\n"))
	var said requestContent
	if err := json.Unmarshal(head, &said); err != nil {
		return nil, fmt.Errorf("decoding request: %w", err)
	}
	out := *r
	out.bare, out.Prompt, out.Messages, out.Inputs, out.Stop, out.call = false, said.Prompt, said.Messages, said.Inputs, said.Stop, said.Call
	if out.call != nil && out.call.Pieces == 0 {
		out.call.Body = body
	}
	return &out, nil
}

// withoutContent is the request as a record has it whose content is encrypted.
func (r *TaskRequest) withoutContent() *TaskRequest {
	out := *r
	out.Prompt, out.Messages, out.Inputs, out.Stop, out.call = "", nil, nil, nil, nil
	return &out
}
