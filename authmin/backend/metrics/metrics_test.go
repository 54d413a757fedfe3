package metrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/llorch/gateway/authmin/backend/metrics"
)

func TestATimingHasBothUnits(t *testing.T) {
	timing := metrics.NewTiming("wait_ms", "llorch_wait_seconds", "A wait.", []float64{0.5, 2})
	timing.Observe(1500 * time.Millisecond)
	want := `
# HELP llorch_wait_seconds A wait.
# TYPE llorch_wait_seconds histogram
llorch_wait_seconds_bucket{le="0.5"} 0
llorch_wait_seconds_bucket{le="2"} 1
llorch_wait_seconds_bucket{le="+Inf"} 1
llorch_wait_seconds_sum 1.5
llorch_wait_seconds_count 1
# HELP wait_ms A wait. In milliseconds, for readers of the older name; llorch_wait_seconds is the same in seconds.
# TYPE wait_ms histogram
wait_ms_bucket{le="500"} 0
wait_ms_bucket{le="2000"} 1
wait_ms_bucket{le="+Inf"} 1
wait_ms_sum 1500
wait_ms_count 1
`
	if err := testutil.CollectAndCompare(timing, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
