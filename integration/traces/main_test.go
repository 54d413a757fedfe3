// Package traces_test follows one request through everything: the trace that a
// collector gets of it, from the gateway to the engine, and the log lines that
// have its correlation id.
package traces_test

import (
	"os"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }
