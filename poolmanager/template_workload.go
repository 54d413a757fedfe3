package poolmanager

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// maxTTL bounds how long an idle engine may be kept: longer is for ever.
const maxTTL = 30 * 24 * time.Hour

var allWorkloads = []string{nodeapi.WorkloadCompletion, nodeapi.WorkloadEmbedding, nodeapi.WorkloadRerank}

// checkCapacity checks the template's workloads, swap, TTL and memory.
func (t Template) checkCapacity() error {
	for i, w := range t.Workloads {
		if !slices.Contains(allWorkloads, w) || slices.Contains(t.Workloads[:i], w) {
			return fmt.Errorf("workloads: %q; want each of completion, embedding, rerank at most once", w)
		}
	}
	switch {
	case t.Swap && t.URL != "":
		return errors.New("swap: not possible with url: the server is not managed here")
	case t.TTL < 0 || t.TTL > maxTTL:
		return fmt.Errorf("ttl: want 0 to %v", maxTTL)
	case t.TTL > 0 && !t.Swap:
		return errors.New("ttl: needs swap, otherwise an unloaded engine is never started again")
	case t.MemoryBytes < 0:
		return errors.New("memory_bytes: want 0 or more")
	}
	return nil
}

// takes reports whether the engine takes the workload; an empty one is a
// completion.
func (t Template) takes(workload string) bool {
	if workload == "" {
		workload = nodeapi.WorkloadCompletion
	}
	return slices.Contains(t.workloads(), workload)
}

// workloads is what the engine takes; never empty.
func (t Template) workloads() []string {
	if len(t.Workloads) == 0 {
		return allWorkloads[:1]
	}
	return t.Workloads
}

// errTask is wrapped by the errors of an invalid task.
var errTask = errors.New("the task is not valid")

// checkTask refuses a task that has not exactly the fields of its workload.
func checkTask(r nodeapi.DispatchRequest) error {
	prompt, messages := r.Prompt != "", len(r.Messages) > 0
	switch r.Workload {
	case "", nodeapi.WorkloadCompletion:
		if prompt == messages || len(r.Inputs) > 0 {
			return fmt.Errorf("%w: a completion wants either prompt or messages, and no inputs", errTask)
		}
		return nil
	case nodeapi.WorkloadEmbedding:
		if prompt || messages {
			return fmt.Errorf("%w: an embedding wants inputs alone", errTask)
		}
	case nodeapi.WorkloadRerank:
		if !prompt || messages {
			return fmt.Errorf("%w: a rerank wants the query as prompt and the documents as inputs", errTask)
		}
	default:
		return fmt.Errorf("%w: workload %q; want completion, embedding or rerank", errTask, r.Workload)
	}
	if len(r.Inputs) == 0 || len(r.Inputs) > nodeapi.MaxInputs {
		return fmt.Errorf("%w: %d inputs; want 1 to %d", errTask, len(r.Inputs), nodeapi.MaxInputs)
	}
	if i := slices.Index(r.Inputs, ""); i >= 0 {
		return fmt.Errorf("%w: inputs[%d] is empty", errTask, i)
	}
	return nil
}
