// Package rolling_test updates a fleet while it works: three replicas of the
// orchestrator and two nodes, each a process, from the last release without native
// calls to this one, in several orders, and one replica back again. Clients go on
// meanwhile. At last the replicas of one fleet are restarted as systemd does, by their
// readiness alone. Afterwards it says whether anything that was acknowledged is lost or
// ended twice, and what each node was asked for.
//
// The programs of the older release are built from the repository's history, so the
// tests have a build tag, and a check of their own in .ci/run:
//
//	go test -tags rolling ./integration/rolling
package rolling_test

import (
	"os"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }
