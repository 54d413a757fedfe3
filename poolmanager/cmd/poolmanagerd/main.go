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
	"syscall"
	"time"

	"github.com/llorch/gateway/poolmanager"
	"github.com/llorch/gateway/poolmanager/demoengine"
)

// stopLimit is what systemd and people are promised.
const stopLimit = 4 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "poolmanagerd:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "demo-engine" {
		return demoengine.Run(ctx, args[1:])
	}
	flags := flag.NewFlagSet("poolmanagerd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "", "configuration file (YAML)")
	check := flags.Bool("check", false, "check the configuration and exit")
	version := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *version {
		fmt.Fprintln(stdout, poolmanager.Version)
		return nil
	}
	if err := checkVariables(os.Environ()); err != nil {
		return err
	}
	options, where, err := load(*path, lookup)
	if err != nil {
		return err
	}
	options.Log = slog.New(slog.NewJSONHandler(stderr, nil))
	if err := options.Check(); err != nil {
		return where.locate(err)
	}
	if *check {
		fmt.Fprintln(stdout, "the configuration is valid")
		return nil
	}
	return serve(ctx, options)
}

func serve(ctx context.Context, options poolmanager.Options) error {
	service, err := poolmanager.Start(ctx, options)
	if err != nil {
		return err
	}
	options.Log.Info("pool manager started", "address", service.Addr(), "version", poolmanager.Version)
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-service.Failed():
	}
	stopping, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return errors.Join(failed, service.Stop(stopping))
}
