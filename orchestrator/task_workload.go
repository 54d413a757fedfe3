package orchestrator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// The workloads of a task.
const (
	Completion = nodeapi.WorkloadCompletion
	Embedding  = nodeapi.WorkloadEmbedding
	Rerank     = nodeapi.WorkloadRerank
	// Native is an engine's own request, see Call. Replicas of older versions know no
	// pool that takes it, and leave it to others.
	Native = "native"
)

// Workloads lists what a task can be.
func Workloads() []string { return []string{Completion, Embedding, Rerank} }

// maxWorkloads bounds what a node may say that one pool takes: those we know,
// and some of versions to come.
const maxWorkloads = 8

// checkWorkload refuses a request that does not fit its workload.
func (r *TaskRequest) checkWorkload() error {
	var wrong string
	switch r.Workload {
	case Native:
		if r.call == nil {
			wrong = "a native call has its request in the member native"
		}
	case Completion:
		switch {
		case r.Prompt != "" && len(r.Messages) > 0:
			wrong = "give prompt or messages, not both"
		case r.Prompt == "" && len(r.Messages) == 0:
			wrong = "give a prompt or messages"
		case len(r.Inputs) > 0:
			wrong = "inputs are for the workloads embedding and rerank"
		}
	case Embedding:
		if r.Prompt != "" || len(r.Messages) > 0 {
			wrong = "an embedding has inputs, no prompt and no messages"
		}
	case Rerank:
		if r.Prompt == "" || len(r.Messages) > 0 {
			wrong = "a rerank has a prompt, which is the query, and inputs, which are the documents"
		}
	default:
		wrong = "workload is completion, embedding or rerank"
	}
	if wrong == "" && (r.Workload == Embedding || r.Workload == Rerank) {
		wrong = checkInputs(r.Inputs)
	}
	if wrong != "" {
		return fail(Invalid, "INVALID_TASK", "%s", wrong)
	}
	return nil
}

func checkInputs(inputs []string) string {
	switch {
	case len(inputs) == 0:
		return "give at least one text in inputs"
	case len(inputs) > nodeapi.MaxInputs:
		return fmt.Sprintf("at most %d inputs", nodeapi.MaxInputs)
	case slices.Contains(inputs, ""):
		return "an input is empty"
	}
	return ""
}

// takes reports whether a pool with these workloads takes this one.
func takes(workloads []string, workload string) bool {
	if len(workloads) == 0 {
		return workload == "" || workload == Completion
	}
	return slices.Contains(workloads, workload) || workload == "" && slices.Contains(workloads, Completion)
}

// offers lists the workloads that we know among those of a pool.
func offers(workloads []string) []string {
	return slices.DeleteFunc(Workloads(), func(w string) bool { return !takes(workloads, w) })
}

// maxDispatchBytes is the largest body that a pool manager takes, but for native calls.
const maxDispatchBytes = 1 << 20

// dispatch is the request as a pool gets it.
func (r *TaskRequest) dispatch(id string, left time.Duration) nodeapi.DispatchRequest {
	return nodeapi.DispatchRequest{
		TaskID: id, Workload: r.Workload, ModelRef: r.ModelRef, Prompt: r.Prompt, Messages: r.Messages, Inputs: r.Inputs,
		MaxTokens: r.MaxTokens, Seed: r.Seed, Temperature: r.Temperature, TopP: r.TopP, Stop: r.Stop,
		DeadlineMS: max(1, left.Milliseconds()), StreamLimitMS: r.StreamLimitMS,
	}
}

// dispatchBytes is how large that is at most. A few characters are longer there
// than in what the caller sent.
func (r *TaskRequest) dispatchBytes() int {
	text, err := encodeJSON(r.dispatch(r.TaskID, MaxDeadline))
	if err != nil {
		return maxDispatchBytes + 1
	}
	return len(text)
}

func encodeJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return buf.Bytes(), err
}

// operation is the request's name in OpenTelemetry's conventions for
// generative AI, which have none for reranking.
func (r *TaskRequest) operation() string {
	p := r.protocol()
	switch {
	case r.Workload == Embedding || p == nodeapi.Embeddings:
		return "embeddings"
	case r.Workload == Native && p != nodeapi.Completions && p != nodeapi.RerankCalls:
		return "chat"
	case r.Workload == Rerank || p == nodeapi.RerankCalls:
		return "rerank"
	case len(r.Messages) > 0:
		return "chat"
	}
	return "text_completion"
}
