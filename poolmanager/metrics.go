package poolmanager

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// waitBuckets, in milliseconds, reach from an idle drain to a large model's load.
var waitBuckets = []float64{10, 100, 500, 1000, 5000, 15_000, 60_000, 300_000, 1_200_000}

// metrics are the pool manager's own; gauges are read from the pools at each scrape,
// so that none is stale.
type metrics struct {
	sourceErrors *prometheus.CounterVec
	registry     *prometheus.Registry
	restarts     *prometheus.CounterVec
	drains       prometheus.Histogram
	reloads      prometheus.Histogram
}

func newMetrics(pools func() []*pool) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pool_restarts_total", Help: "Restarts of engines by why the one before ended.",
		}, []string{"reason"}),
		drains: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "drain_duration_ms", Help: "How long drains took, in milliseconds.", Buckets: waitBuckets,
		}),
		reloads: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "reload_duration_ms", Help: "How long successful reloads took, in milliseconds.", Buckets: waitBuckets,
		}),
	}
	m.sourceErrors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "poolmanager_token_source_errors_total",
		Help: "Files of tokens that could not be read while serving, so that the last good token stays in use, and files whose replacement is not seen because they are mounted by themselves.",
	}, []string{"source"})
	for _, r := range []Reason{ReasonExit, ReasonSignal, ReasonMemory, ReasonCUDA, ReasonHealth, ReasonStart, ReasonStalled} {
		m.restarts.WithLabelValues(string(r)) // zero is a value: alerts need it
	}
	m.registry.MustRegister(m.restarts, m.drains, m.reloads, m.sourceErrors, poolCollector(pools))
	return m
}

func (m *metrics) restarted(r Reason)       { m.restarts.WithLabelValues(string(r)).Inc() }
func (m *metrics) drained(d time.Duration)  { m.drains.Observe(milliseconds(d)) }
func (m *metrics) reloaded(d time.Duration) { m.reloads.Observe(milliseconds(d)) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// poolCollector reads every pool at each scrape; the number of pools is bounded.
type poolCollector func() []*pool

var (
	descSlotsTotal = poolDesc("pool_slots_total", "Tasks that the pool can run at once.")
	descSlotsFree  = poolDesc("pool_slots_free", "Tasks that the pool would take now.")
	descVRAM       = poolDesc("pool_vram_free_bytes", "Free memory of the pool's devices.")
	descReady      = poolDesc("pool_ready", "1 when the pool takes tasks.")
	descBreaker    = poolDesc("circuit_breaker_state", "Restarts of the pool's engine: 0 allowed, 1 one try, 2 held back.")
)

func poolDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, []string{"pool_id"}, nil)
}

// Describe implements prometheus.Collector.
func (poolCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descSlotsTotal, descSlotsFree, descVRAM, descReady, descBreaker} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c poolCollector) Collect(to chan<- prometheus.Metric) {
	for _, p := range c() {
		s := p.status()
		p.mu.Lock()
		breaker := p.breaker
		p.mu.Unlock()
		ready := 0.0
		if s.Ready {
			ready = 1
		}
		for desc, value := range map[*prometheus.Desc]float64{
			descSlotsTotal: float64(s.SlotsTotal), descSlotsFree: float64(s.SlotsFree),
			descVRAM: float64(s.VRAMFreeBytes), descReady: ready, descBreaker: float64(breaker),
		} {
			to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, p.id)
		}
	}
}
