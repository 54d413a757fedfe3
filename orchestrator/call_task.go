package orchestrator

import (
	"bytes"
	"context"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// taskOperations is what the native request of a task means, by protocol.
var taskOperations = map[nodeapi.Protocol]string{
	nodeapi.Chat: "chat", nodeapi.Completions: "completions", nodeapi.Responses: "responses", nodeapi.Messages: "messages",
	nodeapi.Embeddings: "embeddings", nodeapi.RerankCalls: "rerank", nodeapi.Ollama: "ollama-chat",
}

// withNative gives a task whose member native was read as a call: nothing beside it may
// say what the task is to do.
func (o *Orchestrator) withNative(ctx context.Context, who Who, r TaskRequest) (TaskRequest, error) {
	op, known := nodeapi.FindOperation(taskOperations[r.Native.Protocol])
	switch {
	case !known:
		return r, fail(Invalid, "INVALID_TASK", "native.protocol is not one of the protocols")
	case r.Prompt != "" || len(r.Messages) > 0 || len(r.Inputs) > 0 || r.Seed != nil || r.Temperature != nil || r.TopP != nil || len(r.Stop) > 0:
		return r, fail(Invalid, "INVALID_TASK", "a task with native has no prompt, messages, inputs, seed, temperature, top_p or stop: its body says all of it")
	case r.Workload != "" && r.Workload != Completion && r.Workload != Native:
		return r, fail(Invalid, "INVALID_TASK", "a task with native has no workload")
	}
	call, at, model, err := o.readCall(ctx, who, op, bytes.NewReader(r.Native.Body))
	if err != nil {
		return r, err
	}
	if r.ModelRef != "" && r.ModelRef != model {
		o.content.held.Add(who.Identity, -at.Bytes)
		o.content.discard(ctx, at)
		return r, fail(Invalid, "INVALID_TASK", "model_ref and the model in native.body differ; leave model_ref out")
	}
	at.Keep = true // to be read later is what it is for
	r.Native, r.Workload, r.ModelRef, r.call, r.content = nil, Native, model, call, at
	return r, nil
}
