package orchestrator

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/llorch/gateway/orchestrator/store"
)

// storeState shows the state directory's disk, and how far other replicas are behind in
// the groups that this one leads. With an existing NATS cluster neither is known, and there
// is no such metric.
type storeState struct{ store *store.Store }

var (
	storeFree     = prometheus.NewDesc("llorch_store_free_bytes", "Free space of the state directory's file system.", nil, nil)
	storeRequired = prometheus.NewDesc("llorch_store_required_bytes", "Free space below which new work is refused.", nil, nil)
	storeLag      = prometheus.NewDesc("llorch_replication_lag_operations",
		"Operations that another replica is behind, in the group where it is most, of those groups that this replica leads.", []string{"replica"}, nil)
)

// Describe is for Prometheus.
func (storeState) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{storeFree, storeRequired, storeLag} {
		to <- d
	}
}

// Collect is for Prometheus. There are as many replicas as peers are configured, at most 5.
func (s storeState) Collect(to chan<- prometheus.Metric) {
	if space, err := s.store.Space(); err == nil && space != nil {
		to <- prometheus.MustNewConstMetric(storeFree, prometheus.GaugeValue, float64(space.Free))
		to <- prometheus.MustNewConstMetric(storeRequired, prometheus.GaugeValue, float64(space.Required))
	}
	for replica, lag := range s.store.Lags() {
		to <- prometheus.MustNewConstMetric(storeLag, prometheus.GaugeValue, float64(lag), replica)
	}
}
