package orchestrator

import (
	common "github.com/llorch/gateway/authmin/backend/metrics"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/prometheus/client_golang/prometheus"
)

// storeState shows the state directory's disk, how far other replicas are behind in the
// groups that this one leads, and which replica leads each. With an existing NATS cluster
// these metrics are absent.
type storeState struct{ store *store.Store }

var (
	storeFree     = prometheus.NewDesc("llorch_store_free_bytes", "Free space of the state directory's file system.", nil, nil)
	storeRequired = prometheus.NewDesc("llorch_store_required_bytes", "Free space below which new work is refused.", nil, nil)
	storeLag      = prometheus.NewDesc("llorch_replication_lag_operations",
		"Operations that another replica is behind, in the group where it is most, of those groups that this replica leads.", []string{"replica"}, nil)
	groupLeader = prometheus.NewDesc("llorch_group_leader", "1 on the replica that leads the group; their sum is 0 during an election.", []string{"group"}, nil)
	groupTerm   = prometheus.NewDesc("llorch_group_term", "The number of the group's last election.", []string{"group"}, nil)
	groupSafe   = prometheus.NewDesc("llorch_group_safe_to_lose_another",
		"1 if the group keeps a quorum when one more replica stops; of those groups that this replica leads.", []string{"group"}, nil)
)

// Describe is for Prometheus.
func (storeState) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{storeFree, storeRequired, storeLag, groupLeader, groupTerm, groupSafe} {
		to <- d
	}
}

// Collect is for Prometheus. There are as many replicas as peers are configured, at most 5,
// and a dozen groups.
func (s storeState) Collect(to chan<- prometheus.Metric) {
	if space, err := s.store.Space(); err == nil && space != nil {
		to <- prometheus.MustNewConstMetric(storeFree, prometheus.GaugeValue, float64(space.Free))
		to <- prometheus.MustNewConstMetric(storeRequired, prometheus.GaugeValue, float64(space.Required))
	}
	for replica, lag := range s.store.Lags() {
		to <- prometheus.MustNewConstMetric(storeLag, prometheus.GaugeValue, float64(lag), replica)
	}
	for _, g := range s.store.OwnGroups() {
		leads := g.Leader == s.store.Replica()
		to <- prometheus.MustNewConstMetric(groupLeader, prometheus.GaugeValue, common.Bool(leads), g.Name)
		to <- prometheus.MustNewConstMetric(groupTerm, prometheus.GaugeValue, float64(g.Term), g.Name)
		if leads {
			to <- prometheus.MustNewConstMetric(groupSafe, prometheus.GaugeValue, common.Bool(g.MayLose), g.Name)
		}
	}
}
