package poolmanager

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	common "github.com/llorch/gateway/authmin/backend/metrics"
)

// waitBuckets, in seconds, reach from an idle drain to a large model's load.
var waitBuckets = []float64{0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 1200}

// metrics are the pool manager's own; gauges are read from the pools at each scrape,
// so that none is stale.
type metrics struct {
	sources  common.TokenSources
	registry *prometheus.Registry
	restarts *prometheus.CounterVec
	drains   common.Timing
	reloads  common.Timing
}

func newMetrics(pools func() []*pool) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pool_restarts_total", Help: "Restarts of engines by why the one before ended.",
		}, []string{"reason"}),
		drains:  common.NewTiming("drain_duration_ms", "llorch_drain_duration_seconds", "How long drains took.", waitBuckets),
		reloads: common.NewTiming("reload_duration_ms", "llorch_reload_duration_seconds", "How long successful reloads took.", waitBuckets),
		sources: common.NewTokenSources(),
	}
	for _, r := range []Reason{ReasonExit, ReasonSignal, ReasonMemory, ReasonCUDA, ReasonHealth, ReasonStart, ReasonStalled} {
		m.restarts.WithLabelValues(string(r)) // zero is a value: alerts need it
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.restarts, m.drains, m.reloads, m.sources.Errors, m.sources.Unusable, poolCollector(pools))
	return m
}

func (m *metrics) restarted(r Reason)       { m.restarts.WithLabelValues(string(r)).Inc() }
func (m *metrics) drained(d time.Duration)  { m.drains.Observe(d) }
func (m *metrics) reloaded(d time.Duration) { m.reloads.Observe(d) }

// poolCollector reads every pool at each scrape; the number of pools is bounded.
type poolCollector func() []*pool

var (
	descSlotsTotal = poolDesc("pool_slots_total", "Tasks that the pool can run at once.")
	descSlotsFree  = poolDesc("pool_slots_free", "Tasks that the pool would take now.")
	descVRAM       = poolDesc("pool_vram_free_bytes", "Free memory of the pool's devices.")
	descReady      = poolDesc("pool_ready", "1 when the pool takes tasks.")
	descSuspect    = poolDesc("llorch_pool_suspect", "1 when a task stopped making progress in the pool's engine within the last 30 min.")
	descBreaker    = poolDesc("circuit_breaker_state", "Restarts of the pool's engine: 0 allowed, 1 one try, 2 held back.")
)

func poolDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, []string{"pool_id"}, nil)
}

// Describe implements prometheus.Collector.
func (poolCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descSlotsTotal, descSlotsFree, descVRAM, descReady, descSuspect, descBreaker} {
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
		for desc, value := range map[*prometheus.Desc]float64{
			descSlotsTotal: float64(s.SlotsTotal), descSlotsFree: float64(s.SlotsFree),
			descVRAM: float64(s.VRAMFreeBytes), descReady: common.Bool(s.Ready), descSuspect: common.Bool(s.Suspect), descBreaker: float64(breaker),
		} {
			to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, p.id)
		}
	}
}
