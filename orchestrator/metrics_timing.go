package orchestrator

import (
	"github.com/prometheus/client_golang/prometheus"

	common "github.com/llorch/gateway/authmin/backend/metrics"
)

// timeBuckets, in seconds, go from a local demo engine's first token to a slow model's
// answer.
var timeBuckets = []float64{0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}

func newTiming(reg prometheus.Registerer, contract, name, help string) common.Timing {
	t := common.NewTiming(contract, name, help, timeBuckets)
	reg.MustRegister(t)
	return t
}
