// Package canary_test plants tokens in every place that a client could put one,
// right and wrong, makes the gateway refuse, serve and fail, and then searches
// all that the gateway wrote or answered for them. It finds what is written; it
// does not look into memory, cores or swap.
package canary_test

import (
	"os"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }
