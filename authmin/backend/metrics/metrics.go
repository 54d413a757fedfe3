// Package metrics has the Prometheus metrics that the orchestrator and the pool manager have in
// common, so that their names and texts are one. It serves nothing: the services register
// them.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Timing is a histogram under two names: the contract's, in milliseconds, and that of
// Prometheus' convention, in seconds. It is a [prometheus.Collector] of both.
type Timing struct{ milliseconds, seconds prometheus.Histogram }

// NewTiming makes one; the buckets are in seconds.
func NewTiming(contract, name, help string, buckets []float64) Timing {
	old := make([]float64, len(buckets))
	for i, s := range buckets {
		old[i] = s * 1000
	}
	return Timing{
		milliseconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: contract, Help: help + " In milliseconds, for readers of the older name; " + name + " is the same in seconds.", Buckets: old,
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}),
	}
}

// Observe counts a duration.
func (t Timing) Observe(d time.Duration) {
	t.milliseconds.Observe(float64(d) / float64(time.Millisecond))
	t.seconds.Observe(d.Seconds())
}

// Describe implements [prometheus.Collector].
func (t Timing) Describe(to chan<- *prometheus.Desc) {
	t.milliseconds.Describe(to)
	t.seconds.Describe(to)
}

// Collect implements [prometheus.Collector].
func (t Timing) Collect(to chan<- prometheus.Metric) {
	t.milliseconds.Collect(to)
	t.seconds.Collect(to)
}

// TokenSources are the metrics of the files that tokens come from. They are collectors.
type TokenSources struct {
	Errors   *prometheus.CounterVec // by source, of a closed set
	Unusable prometheus.Gauge
}

// NewTokenSources makes them.
func NewTokenSources() TokenSources {
	return TokenSources{
		Errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "llorch_token_source_errors_total",
			Help: "Files of tokens that could not be read while serving, so that the last good token stays in use, and files whose replacement is not seen because they are mounted by themselves.",
		}, []string{"source"}),
		Unusable: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "llorch_token_sources_unusable",
			Help: "Token files whose present content is not in use: unreadable, refused, or a replacement that is not seen.",
		}),
	}
}

// Bool is the value of a gauge that is a yes or a no: 1 or 0.
func Bool(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
