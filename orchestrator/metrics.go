package orchestrator

import (
	"github.com/prometheus/client_golang/prometheus"

	common "github.com/llorch/gateway/authmin/backend/metrics"
)

// maxLabelValues bounds what nodes can put into a label: beyond it, "other".
const maxLabelValues = 256

// metrics are the names, types and labels of the metrics contract.
type metrics struct {
	enqueued, canceled, tokensIn prometheus.Counter
	readersCut                   prometheus.Counter
	started, rejected, tokensOut *prometheus.CounterVec
	backpressure, placements     *prometheus.CounterVec
	registrations, heartbeats    *prometheus.CounterVec
	deregistrations              prometheus.Counter
	firstToken, decode           common.Timing
	poolChecks, verifications    *prometheus.CounterVec
	poolCheckTime                common.Timing
	ends                         ends
	genAI                        genAI
	engines, pools, models       labelSet
}

func newMetrics(reg prometheus.Registerer, o *Orchestrator) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	registerGauges(reg, o)
	reg.MustRegister(modelStates{o.catalog}, storeState{o.store})
	m := &metrics{
		genAI:           newGenAI(reg),
		ends:            newEnds(reg),
		enqueued:        counter("tasks_enqueued_total", "Tasks acknowledged."),
		canceled:        counter("tasks_canceled_total", "Tasks canceled by a caller."),
		tokensIn:        counter("tokens_in_total", "Prompt tokens of finished tasks."),
		started:         vec("tasks_started_total", "Dispatches to a pool.", "engine", "pool_id", "priority"),
		rejected:        vec("tasks_rejected_total", "Tasks refused at admission.", "engine", "reason"),
		tokensOut:       vec("tokens_out_total", "Tokens made.", "engine", "pool_id"),
		backpressure:    vec("admission_backpressure_events_total", "Refusals of a full queue.", "policy"),
		placements:      vec("placement_decisions_total", "Decisions where a task runs.", "outcome", "pinned", "fallback"),
		registrations:   vec("orchd_node_registrations_total", "Calls to register a node.", "outcome"),
		heartbeats:      vec("orchd_node_heartbeats_total", "Heartbeats.", "outcome"),
		deregistrations: counter("orchd_node_deregistrations_total", "Nodes that left."),
		poolChecks:      vec("orchd_pool_health_checks_total", "Questions about a pool's health.", "pool_id", "outcome"),
		poolCheckTime:   newTiming(reg, "orchd_pool_health_check_duration_ms", "llorch_pool_health_check_duration_seconds", "Answering a question about a pool's health."),
		verifications:   vec("catalog_verifications_total", "Models whose bytes were read.", "result"),
		firstToken:      newTiming(reg, "latency_first_token_ms", "llorch_first_token_seconds", "From admission to the first token."),
		readersCut:      counter("llorch_stream_readers_cut_total", "Readers that did not read, and may resume."),
		decode:          newTiming(reg, "latency_decode_ms", "llorch_decode_seconds", "From the first token to the end, as the engine says."),
	}
	for _, policy := range []Policy{Reject, DropLRU} { // a counter that begins with its first event shows no increase
		m.backpressure.WithLabelValues(string(policy))
	}
	return m
}

// online counts the nodes that are not offline.
func (ns *nodes) online() int {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	count := 0
	for _, n := range ns.byID {
		if n.online(ns.now(), ns.timeout) {
			count++
		}
	}
	return count
}

// available counts the pools that would take a task.
func (ns *nodes) available() int {
	count := 0
	for _, c := range ns.candidates() {
		if c.Online && c.Ready && !c.Draining && !c.Tripped && c.SlotsFree > 0 {
			count++
		}
	}
	return count
}

// outcome is the label of a call that succeeded or was refused.
func outcome(err error) string {
	if err != nil {
		return "refused"
	}
	return "ok"
}

// labelSet lets the first few values through and folds the rest.
type labelSet struct {
	mu   mutex[lockLabels]
	seen map[string]bool
}

func (s *labelSet) value(v string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[v] {
		return v
	}
	if len(s.seen) >= maxLabelValues {
		return otherLabel
	}
	if s.seen == nil {
		s.seen = make(map[string]bool)
	}
	s.seen[v] = true
	return v
}
