package poolmanager

import (
	"fmt"
	"os"
	"regexp"
	"syscall"
)

// Reason says why an engine ended; a closed set, so that it may be a label.
type Reason string

// The reasons.
const (
	ReasonExit    Reason = "exit"          // it ended by itself
	ReasonSignal  Reason = "signal"        // killed by a signal
	ReasonMemory  Reason = "out_of_memory" // an allocation failed, or the OOM killer ended it
	ReasonCUDA    Reason = "cuda"          // an error of its GPU
	ReasonHealth  Reason = "health"        // it did not become, or stay, healthy
	ReasonStart   Reason = "start"         // it could not be started at all
	ReasonStalled Reason = "stalled"       // tasks stopped making progress in it
)

// failure is why an engine ended or did not start.
type failure struct {
	reason Reason
	text   string
}

// Error says the reason and the text.
func (f *failure) Error() string { return string(f.reason) + ": " + f.text }

var (
	cudaWords   = regexp.MustCompile(`(?i)\bCUDA error|cudaMalloc|CUDA out of memory|\bhipError|ROCm error|ggml_cuda`)
	memoryWords = regexp.MustCompile(`(?i)out of memory|std::bad_alloc|cannot allocate memory|failed to allocate|OutOfMemory|memory exhausted`)
)

// classifiedLines is how many of the log's last lines are searched for the cause; an
// early warning is not one.
const classifiedLines = 20

// classify reads the exit status, and the log for what the status cannot say.
// oomKilled says that the kernel's OOM killer has ended a process meanwhile: it sends
// KILL, so the process cannot log.
func classify(state *os.ProcessState, oomKilled bool, log []string) *failure {
	text, reason := "the engine ended", ReasonExit
	if state != nil {
		text = fmt.Sprintf("the engine ended with exit code %d", state.ExitCode())
		if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			text, reason = fmt.Sprintf("the engine was ended by signal %d (%s)", status.Signal(), status.Signal()), ReasonSignal
			if oomKilled && status.Signal() == syscall.SIGKILL {
				return &failure{ReasonMemory, text + ", and the kernel's OOM killer ended a process"}
			}
		}
	}
	for _, line := range log {
		switch {
		case cudaWords.MatchString(line):
			return &failure{ReasonCUDA, text + "; its log has a GPU error"}
		case memoryWords.MatchString(line):
			reason = ReasonMemory
		}
	}
	if reason == ReasonMemory {
		text += "; its log tells of missing memory"
	}
	return &failure{reason, text}
}
