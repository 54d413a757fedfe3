package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/authmin/gcpace"
	"github.com/llorch/gateway/orchestrator/app"
)

func main() {
	gcpace.Choose()
	ctx, stop := backend.StopSignals(context.Background())
	defer stop()
	if err := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "orchestratord:", err)
		os.Exit(1)
	}
}

// documentation is the file with the program's documentation.
//
//go:embed doc.go
var documentation string

// program is orchestratord. The variables of Others are the pool manager's: the two
// daemons may share one environment.
var program = backend.Program{
	Name: "orchestratord", Build: backend.ThisBuild(), Documentation: documentation, LogVariable: "ORCHD_LOG_LEVEL", ListenKey: "addr",
	Prefixes: []string{"ORCHD_", "ORCHESTRATORD_"},
	Others:   []string{"ORCHESTRATORD_URL", "ORCHESTRATORD_TOKEN", "ORCHESTRATORD_TOKEN_FILE", "ORCHESTRATORD_CA"},
	New:      func() backend.Daemon { return new(config) },
}

// run is the program with everything it touches given to it.
func run(ctx context.Context, args []string, lookup backend.Lookup, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "migrate" {
		return migrate(ctx, args[1:], lookup, stderr)
	}
	if len(args) > 0 && args[0] == "status" {
		return status(ctx, args[1:], lookup, stdout, stderr)
	}
	return program.Run(ctx, args, lookup, stdout, stderr)
}

// configure reads the configuration and the tokens.
func configure(file string, lookup backend.Lookup) (app.Options, error) {
	d, err := program.Read(file, lookup)
	return d.(*config).options, err
}
