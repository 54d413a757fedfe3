// Command orchestratord runs the orchestrator as a daemon.
//
// It is configured by one YAML file with strict keys and by environment
// variables, which win; secrets come from the environment or from files, never
// from the YAML.
//
//	ORCHD_STATE_DIR=/var/lib/llorch/orchestrator \
//	LLORCH_UPSTREAM_TOKEN_FILE=/run/secrets/upstream orchestratord --config /etc/llorch/orchestratord.yaml
//	orchestratord --config F --check      validates and exits
//	orchestratord migrate --help          a single server's state into a cluster, and back
//
// TERM and INT stop it: no new tasks, running ones settled (after the time that
// drain_ms gives them), streams ended. The process is then gone within 5 s.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/llorch/gateway/orchestrator/app"
)

// stopTimeout bounds a stop after the time for draining; the parts have shorter limits of their own.
const stopTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.LookupEnv, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "orchestratord:", err)
		os.Exit(1)
	}
}

// run is the program with everything it touches given to it.
func run(ctx context.Context, args []string, lookup func(string) (string, bool), stderr io.Writer) error {
	if len(args) > 0 && args[0] == "migrate" {
		return migrate(ctx, args[1:], lookup, stderr)
	}
	flags := flag.NewFlagSet("orchestratord", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("config", "", "YAML `file`; every key is an environment variable too")
	check := flags.Bool("check", false, "validate the configuration and exit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	}
	options, err := configure(*file, lookup)
	if err != nil {
		return err
	}
	if *check {
		fmt.Fprintln(stderr, "orchestratord: the configuration is valid")
		return nil
	}
	options.Log = slog.New(slog.NewJSONHandler(stderr, nil))
	options.Version = version()
	return serve(ctx, options)
}

func serve(ctx context.Context, options app.Options) error {
	service, err := app.Start(ctx, options)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // stopped while it waited for the other replicas
	}
	if err != nil {
		return err
	}
	options.Log.Info("serving", "address", service.Addr(), "state_dir", options.StateDir, "version", options.Version)
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-service.Failed():
	}
	options.Log.Info("stopping")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), options.Drain+stopTimeout)
	defer cancel()
	return errors.Join(failed, service.Stop(stopping))
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "(devel)"
}
