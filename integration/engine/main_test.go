// Package engine_test tries models of the catalog from their source to an answer:
// an orchestrator, a pool manager and an engine, which is a real llama-server
// where one is on the PATH and the demo engine elsewhere.
package engine_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/poolmanager/demoengine"
)

// TestMain lets the test binary be the demo engine.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "demo-engine" {
		if err := demoengine.Run(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(gatewaytest.Run(m))
}
