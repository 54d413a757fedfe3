// Package bypass_test attacks the loopback bypass (AUTH_OPTIONAL) of a running
// gateway: with tunnels and proxies that do to a request what the well-known
// programs do, with those programs where they are installed, with every Host and
// Origin that a browser could send, and, under the build tag browser, with pages
// in a real Chromium. It tests what gets through, from outside; the conditions of
// the bypass have their own tests in authmin.
package bypass_test

import (
	"os"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }
