// Package observability_test runs the alert rules and the queries of the dashboards in a
// real Prometheus, which scrapes a gateway, three orchestrators and a pool manager, each a
// process, while what the alerts are for is made to happen. The rule tests and the lint of
// the metrics are run by the real promtool.
//
// Prometheus is built from the module in integration/prometheus, which takes a minute or
// two where nothing is in the cache. So these tests have a build tag, and a check of their
// own in .ci/run:
//
//	go test -tags observability ./integration/observability
package observability_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// sharedFolder is for what all tests use.
var sharedFolder string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "llorch-prometheus-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a folder for Prometheus:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	sharedFolder = dir
	return gatewaytest.Run(m)
}
