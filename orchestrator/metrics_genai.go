package orchestrator

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// genAI are the metrics of OpenTelemetry's semantic conventions for generative
// AI, under the names that its Prometheus exporter gives them: dots become
// underscores, the unit a suffix. The buckets are the conventions' own.
type genAI struct {
	tokens     *prometheus.HistogramVec // gen_ai.client.token.usage
	duration   *prometheus.HistogramVec // gen_ai.server.request.duration
	firstToken *prometheus.HistogramVec // gen_ai.server.time_to_first_token
	perToken   *prometheus.HistogramVec // gen_ai.server.time_per_output_token
}

func newGenAI(reg prometheus.Registerer) genAI {
	vec := func(name, help string, buckets []float64, more ...string) *prometheus.HistogramVec {
		labels := append([]string{"gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"}, more...)
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		reg.MustRegister(v)
		return v
	}
	return genAI{
		tokens: vec("gen_ai_client_token_usage", "Tokens of completed tasks.", prometheus.ExponentialBuckets(1, 4, 14), "gen_ai_token_type"),
		duration: vec("gen_ai_server_request_duration_seconds", "From admission to the end.",
			prometheus.ExponentialBuckets(0.01, 2, 14)),
		firstToken: vec("gen_ai_server_time_to_first_token_seconds", "From admission to the first token.",
			[]float64{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}),
		perToken: vec("gen_ai_server_time_per_output_token_seconds", "Between the tokens after the first.",
			[]float64{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5}),
	}
}

// completed notes a task that ran to its end.
func (m *metrics) completed(t Task, operation string) {
	labels := []string{operation, m.engines.value(t.Engine), m.models.value(t.ModelRef)}
	m.genAI.tokens.WithLabelValues(append(labels, "input")...).Observe(float64(max(0, t.TokensIn)))
	m.genAI.duration.WithLabelValues(labels...).Observe(t.EndedAt.Sub(t.CreatedAt).Seconds())
	if !t.generates() { // an embedding has no tokens of its own
		return
	}
	m.genAI.tokens.WithLabelValues(append(labels, "output")...).Observe(float64(max(0, t.TokensOut)))
	if t.FirstTokenAt == nil {
		return
	}
	m.genAI.firstToken.WithLabelValues(labels...).Observe(t.FirstTokenAt.Sub(t.CreatedAt).Seconds())
	if t.TokensOut > 1 {
		between := t.EndedAt.Sub(*t.FirstTokenAt) / time.Duration(t.TokensOut-1)
		m.genAI.perToken.WithLabelValues(labels...).Observe(between.Seconds())
	}
}

// modelStates shows the catalog: 1 for the state that a model is in. Models
// beyond the bound on labels are not shown one by one.
type modelStates struct{ c *catalog }

var modelState = prometheus.NewDesc("model_state", "1 for the state of a model of the catalog.", []string{"model_id", "state"}, nil)

// Describe is for Prometheus.
func (s modelStates) Describe(to chan<- *prometheus.Desc) { to <- modelState }

// Collect is for Prometheus.
func (s modelStates) Collect(to chan<- prometheus.Metric) {
	others := map[ModelState]int{}
	for i, m := range s.c.all() {
		if i >= maxLabelValues {
			others[m.State]++
			continue
		}
		to <- prometheus.MustNewConstMetric(modelState, prometheus.GaugeValue, 1, m.ID, string(m.State))
	}
	for state, n := range others { // no id begins with a dot
		to <- prometheus.MustNewConstMetric(modelState, prometheus.GaugeValue, float64(n), ".other", string(state))
	}
}
