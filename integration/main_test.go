// Package integration_test runs the whole thing together: the built llorch as
// a process, spoken to over TCP as a client would. What one part decides is
// tested beside that part.
package integration_test

import (
	"os"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }

// ownerToken is the client's token where a test brings one.
const ownerToken = "owner-owner-owner-owner-owner-owner-owner"

var ownerEnv = []string{"LLORCH_API_TOKEN=" + ownerToken}
