// Package timing_test measures whether the gateway's answers come sooner or
// later according to what a wrong token has in common with a right one, and
// where in the keyring a right one stands. It sees what a client on the same
// machine could see, at best; the look-up itself is measured beside its code.
//
// The short form runs with the other tests. LLORCH_LONG_TESTS=1 measures longer.
package timing_test

import (
	"os"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }
