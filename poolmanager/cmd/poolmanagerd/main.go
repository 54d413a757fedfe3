package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/authmin/gcpace"
	"github.com/llorch/gateway/poolmanager/demoengine"
)

func main() {
	gcpace.Choose()
	ctx, stop := backend.StopSignals(context.Background())
	err := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "poolmanagerd:", err)
		os.Exit(1)
	}
}

// documentation is the file with the program's documentation.
//
//go:embed doc.go
var documentation string

// program is poolmanagerd. The variables of Others are the orchestrator's and the
// gateway's, which often share its environment.
func program() backend.Program {
	return backend.Program{
		Name: "poolmanagerd", Build: backend.ThisBuild(), Documentation: documentation, LogVariable: "POOL_MANAGERD_LOG_LEVEL", ListenKey: "listen",
		Prefixes: []string{"POOL_MANAGERD_"},
		Others:   []string{"POOL_MANAGER_TOKEN", "POOL_MANAGER_TOKEN_FILE", "LLORCH_NODE_TOKEN"},
		New:      func() backend.Daemon { return new(config) },
	}
}

// run is the program with everything it touches given to it.
func run(ctx context.Context, args []string, lookup backend.Lookup, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "demo-engine" {
		backend.IgnoreHangUps() // it has the daemon's name, and nothing to reload
		return demoengine.Run(ctx, args[1:])
	}
	return program().Run(ctx, args, lookup, stdout, stderr)
}
