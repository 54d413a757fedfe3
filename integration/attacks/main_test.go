// Package attacks_test sends the attack corpus to the built gateway over raw
// sockets and over the command line, and looks at what came back and at what
// an echo upstream saw. It tests the gateway from outside only; the decisions
// have tests of their own beside them.
package attacks_test

import (
	"os"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }
