package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
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

// documentation is the file with the program's documentation.
//
//go:embed doc.go
var documentation string

// usage prints the flags, and the documentation, which is not at hand where only the
// program is installed.
func usage(flags *flag.FlagSet) {
	text, _, _ := strings.Cut(documentation, "\npackage ")
	for line := range strings.Lines(text) {
		fmt.Fprint(flags.Output(), strings.TrimPrefix(strings.TrimPrefix(line, "//"), " "))
	}
	fmt.Fprint(flags.Output(), "\n\nFlags:\n")
	flags.PrintDefaults()
}

func run(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "demo-engine" {
		signal.Ignore(syscall.SIGHUP) // it has the daemon's name, and nothing to reload
		return demoengine.Run(ctx, args[1:])
	}
	flags := flag.NewFlagSet("poolmanagerd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "", "configuration file (YAML)")
	check := flags.Bool("check", false, "check the configuration and exit")
	version := flags.Bool("version", false, "print the version and exit")
	flags.Usage = func() { usage(flags) }
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
	hangUps := make(chan os.Signal, 1) // one that waits says all that several would
	signal.Notify(hangUps, syscall.SIGHUP)
	defer signal.Stop(hangUps)
	options, where, err := load(*path, lookup)
	if err != nil {
		return err
	}
	r := &reloader{path: *path, lookup: lookup, level: new(slog.LevelVar)}
	if r.started, err = settingsOf(*path, lookup); err != nil {
		return err
	}
	if r.sources, err = follow(&options, where.keyFiles, lookup); err != nil {
		return err
	}
	level, _ := parseLevel(r.started.LogLevel) // checked by settingsOf
	r.level.Set(level)
	options.Log = slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: r.level}))
	if err := options.Check(); err != nil {
		return where.locate(err)
	}
	if *check {
		fmt.Fprintln(stdout, "the configuration is valid")
		return nil
	}
	return serve(ctx, options, r, hangUps)
}

func serve(ctx context.Context, options poolmanager.Options, r *reloader, hangUps <-chan os.Signal) error {
	service, err := poolmanager.Start(ctx, options)
	if err != nil {
		return err
	}
	options.Log.Info("pool manager started", "address", service.Addr(), "version", poolmanager.Version)
	r.service, r.log = service, options.Log
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	ended := make(chan struct{})
	go func() { defer close(ended); r.run(watching, hangUps) }()
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-service.Failed():
	}
	stopWatching()
	<-ended
	stopping, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return errors.Join(failed, service.Stop(stopping))
}
