package orchestrator

import (
	"bytes"
	"context"
	"errors"

	"github.com/llorch/gateway/authmin/jsonbody"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// taskOperations is what the native request of a task means, by protocol.
var taskOperations = map[nodeapi.Protocol]string{
	nodeapi.Chat: "chat", nodeapi.Completions: "completions", nodeapi.Responses: "responses", nodeapi.Messages: "messages",
	nodeapi.Embeddings: "embeddings", nodeapi.RerankCalls: "rerank", nodeapi.Ollama: "ollama-chat",
}

// Use makes what was received the body of the request, in place of Body.
func (n *NativeRequest) Use(b *Received) { n.received = b }

// SeeText is for what decodes a task from JSON: it notes whether the text has more than
// one native request, of which decoding keeps the last. A text without such a member is
// not read again.
func (r *TaskRequest) SeeText(text []byte) {
	if r.Native == nil && !bytes.Contains(text, []byte(`"native"`)) {
		return
	}
	scan := jsonbody.New(jsonbody.Options{Watch: []string{nativeBody}, MaxDepth: jsonbody.DefaultMaxDepth + 2})
	_, err := scan.Write(text)
	if bad, ok := errors.AsType[*jsonbody.Error](err); ok && (r.Native != nil || bad.Code == jsonbody.Ambiguous) {
		r.unclear = badBody(err)
	}
}

// Unclear is why the text of a task has more than one reading, nil if it has one.
func (r *TaskRequest) Unclear() error { return r.unclear }

// withNative gives a task whose member native was read as a call: nothing beside it may
// say what the task is to do.
func (o *Orchestrator) withNative(ctx context.Context, who Who, r TaskRequest) (TaskRequest, error) {
	op, known := nodeapi.FindOperation(taskOperations[r.Native.Protocol])
	switch {
	case !known:
		return r, fail(Invalid, "INVALID_TASK", "native.protocol is not one of the protocols")
	case r.MaxTokens != 0 && r.MaxTokens != DefaultMaxTokens: // which the API fills in
		return r, fail(Invalid, "INVALID_TASK", "a task with native has no max_tokens: its body says all of it")
	case r.Prompt != "" || len(r.Messages) > 0 || len(r.Inputs) > 0 || r.Seed != nil || r.Temperature != nil || r.TopP != nil || len(r.Stop) > 0:
		return r, fail(Invalid, "INVALID_TASK", "a task with native has no prompt, messages, inputs, seed, temperature, top_p or stop: its body says all of it")
	case r.Workload != "" && r.Workload != Completion && r.Workload != Native:
		return r, fail(Invalid, "INVALID_TASK", "a task with native has no workload")
	}
	body := r.Native.received
	if body == nil {
		read, err := o.readBody(ctx, who, op.Protocol, bytes.NewReader(r.Native.Body))
		if err != nil {
			return r, err
		}
		body = &Received{reading: read}
		defer body.Discard(ctx)
	}
	call := body.reading.call
	model, err := call.describe(op, body.reading.scan)
	if err != nil {
		return r, err
	}
	if r.ModelRef != "" && r.ModelRef != model {
		return r, fail(Invalid, "INVALID_TASK", "model_ref and the model in native.body differ; leave model_ref out")
	}
	r.call = call
	if err := o.follow(who, &r); err != nil {
		return r, err
	}
	body.taken = true
	r.Native, r.Workload, r.ModelRef, r.content = nil, Native, model, body.reading.at()
	r.content.Keep = true // to be read later is what it is for
	return r, nil
}
