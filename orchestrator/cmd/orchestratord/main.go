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
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/llorch/gateway/orchestrator/app"
)

// stopTimeout bounds a stop after the time for draining; the parts have shorter limits of their own.
const stopTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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

// run is the program with everything it touches given to it.
func run(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "migrate" {
		return migrate(ctx, args[1:], lookup, stderr)
	}
	flags := flag.NewFlagSet("orchestratord", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("config", "", "YAML `file`; every key is an environment variable too")
	check := flags.Bool("check", false, "validate the configuration and exit")
	showVersion := flags.Bool("version", false, "print the version and exit")
	flags.Usage = func() { usage(flags) }
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	}
	if *showVersion {
		fmt.Fprintln(stdout, version())
		return nil
	}
	if err := checkVariables(environ()); err != nil {
		return err
	}
	hangUps := make(chan os.Signal, 1) // one that waits says all that several would
	signal.Notify(hangUps, syscall.SIGHUP)
	defer signal.Stop(hangUps)
	s, err := readSettings(*file, lookup)
	if err != nil {
		return err
	}
	if *check {
		if err := checkStateDir(s.options.StateDir); err != nil {
			return err
		}
		fmt.Fprintln(stdout, "orchestratord: the configuration is valid")
		return nil
	}
	r := &reloader{file: *file, lookup: lookup, started: s.config, secrets: s.secrets, level: new(slog.LevelVar)}
	level, _ := parseLevel(s.config.LogLevel) // checked by readSettings
	r.level.Set(level)
	s.options.Log = slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: r.level}))
	s.options.Version = version()
	return serve(ctx, s.options, r, hangUps)
}

func serve(ctx context.Context, options app.Options, r *reloader, hangUps <-chan os.Signal) error {
	service, err := app.Start(ctx, options)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // stopped while it waited for the other replicas
	}
	if err != nil {
		return err
	}
	options.Log.Info("serving", "address", service.Addr(), "state_dir", options.StateDir, "version", options.Version)
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
