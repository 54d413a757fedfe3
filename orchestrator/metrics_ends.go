package orchestrator

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/llorch/gateway/authmin/backend"
)

// otherLabel is the label of a value that is not in the closed set of its label.
const otherLabel = "other"

// ends counts how tasks end, on the replica that ended them.
type ends struct {
	tasks  *prometheus.CounterVec // by state
	failed *prometheus.CounterVec // by code
	tokens *prometheus.CounterVec // by type and workload
}

// newEnds makes every series at once that an alert may need: a counter that begins with
// its first event shows no increase.
func newEnds(reg prometheus.Registerer) ends {
	e := ends{
		tasks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "llorch_tasks_ended_total", Help: "Tasks that ended, by state.",
		}, []string{"state"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "llorch_tasks_failed_total", Help: "Tasks that failed, by the code of their error; other: a code that is not ours.",
		}, []string{"code"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "llorch_tokens_total", Help: "Tokens of ended tasks, by type (input: the prompt, output: the answer) and workload. By model they are in gen_ai_client_token_usage.",
		}, []string{"type", "workload"}),
	}
	reg.MustRegister(e.tasks, e.failed, e.tokens)
	for _, state := range []State{Completed, Failed, Canceled} {
		e.tasks.WithLabelValues(string(state))
	}
	for known, number := range backend.Codes() {
		if number/100 == 502 { // those by which a task fails
			e.failed.WithLabelValues(known)
		}
	}
	e.failed.WithLabelValues(engineBusyCode)
	e.failed.WithLabelValues(otherLabel)
	for _, workload := range labelledWorkloads {
		e.tokens.WithLabelValues("input", workload)
		e.tokens.WithLabelValues("output", workload)
	}
	return e
}

var labelledWorkloads = append(Workloads(), Native)

// count counts a task that this replica has ended.
func (e ends) count(t Task) {
	e.tasks.WithLabelValues(string(t.State)).Inc()
	if t.State == Failed && t.Error != nil {
		e.failed.WithLabelValues(codeLabel(t.Error.Code)).Inc()
	}
	workload := t.Workload
	if !slices.Contains(labelledWorkloads, workload) { // of another version
		workload = otherLabel
	}
	e.tokens.WithLabelValues("input", workload).Add(float64(max(0, t.TokensIn)))
	e.tokens.WithLabelValues("output", workload).Add(float64(max(0, t.TokensOut)))
}

// codeLabel folds the codes of nodes and engines, which are theirs to choose, into one.
func codeLabel(text string) string {
	if backend.CodeNumber(text, 0) == 0 {
		return otherLabel
	}
	return text
}
