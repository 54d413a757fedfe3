// Package live_test opens thousands of streams on one token, takes the token
// back, and measures how long they last. How a single stream ends, and every
// reason for it, is tested beside the code.
//
// CI opens 1,000. LLORCH_LONG_TESTS=1 opens 10,000.
package live_test

import (
	"os"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }
