package main

import (
	"context"
	"fmt"
	"os"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager/demoengine"
)

// demoEngineCommand is the first argument that runs this program as the demo
// engine: a child process that up starts like any other engine.
const demoEngineCommand = "demo-engine"

// runDemoEngine serves until a signal stops it, and returns the exit code.
func runDemoEngine(args []string) int {
	ctx, cancel := backend.StopSignals(context.Background())
	defer cancel()
	backend.IgnoreHangUps() // it shares llorch's process name, and has nothing to reload
	if err := demoengine.Run(ctx, args); err != nil {
		fmt.Fprintln(os.Stderr, "demo-engine:", err)
		return 1
	}
	return 0
}
