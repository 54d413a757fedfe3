package poolmanager

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/llorch/gateway/poolmanager/client"
)

// maxTTL bounds how long an idle engine may be kept: longer is for ever.
const maxTTL = 30 * 24 * time.Hour

var allWorkloads = []string{client.WorkloadCompletion, client.WorkloadEmbedding, client.WorkloadRerank}

// checkCapacity checks what the template says of its work and its memory.
func (t Template) checkCapacity() error {
	for i, w := range t.Workloads {
		if !slices.Contains(allWorkloads, w) || slices.Contains(t.Workloads[:i], w) {
			return fmt.Errorf("workloads: %q; want each of completion, embedding, rerank at most once", w)
		}
	}
	switch {
	case t.Swap && t.URL != "":
		return errors.New("swap: a server that already runs is not ours to end")
	case t.TTL < 0 || t.TTL > maxTTL:
		return fmt.Errorf("ttl: want 0 to %v", maxTTL)
	case t.TTL > 0 && !t.Swap:
		return errors.New("ttl: wants swap, or nothing would start the engine again")
	case t.MemoryBytes < 0:
		return errors.New("memory_bytes: want 0 or more")
	}
	return nil
}

// takes reports whether the engine takes the workload; an empty one is a
// completion.
func (t Template) takes(workload string) bool {
	if workload == "" {
		workload = client.WorkloadCompletion
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
