package demoengine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	// headerTimeout is ample for a caller on the same host.
	headerTimeout = 5 * time.Second
	// maxParallel bounds --parallel; the tests run 200 streams on one pool.
	maxParallel = 1024
	// defaultContext is what common models have.
	defaultContext = 131072
)

type settings struct {
	port       int
	keyFile    string
	model      string
	parallel   int
	tokenDelay time.Duration
	loadDelay  time.Duration
	stallAfter int
	context    int
}

// Run serves until ctx ends; args are the flags after the command's name. A
// stop ends open streams at once. An invalid flag is an error, help is not.
func Run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	key, err := authmin.SecretFromFile(s.keyFile)
	if err != nil {
		return fmt.Errorf("reading the engine's API key: %w", err)
	}
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
	if err != nil {
		return fmt.Errorf("opening the engine's port: %w", err)
	}
	fmt.Fprintf(os.Stderr, "demo engine (no model, answers are made up) on http://%s\n", listener.Addr())
	return serve(ctx, listener, newEngine(s, key))
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("demo-engine", flag.ContinueOnError)
	flags.IntVar(&s.port, "port", 0, "port on 127.0.0.1; 0 takes a free one")
	flags.StringVar(&s.keyFile, "api-key-file", "", "file that holds the API key")
	flags.StringVar(&s.model, "model", "demo", "name of the model it pretends to have")
	flags.IntVar(&s.parallel, "parallel", 4, "answers made at the same time")
	flags.DurationVar(&s.tokenDelay, "token-delay", 5*time.Millisecond, "pause before each token")
	flags.DurationVar(&s.loadDelay, "load-delay", 0, "how long it pretends to load")
	flags.IntVar(&s.stallAfter, "stall-after", 0, "tokens after which each answer stands still for ever, to try the progress limits; 0 never")
	flags.IntVar(&s.context, "context", defaultContext, "tokens that a prompt may have")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("reading the flags: unexpected argument %q", flags.Arg(0))
	case s.keyFile == "":
		return s, errors.New("reading the flags: --api-key-file is missing")
	case s.parallel < 1 || s.parallel > maxParallel:
		return s, fmt.Errorf("reading the flags: --parallel is not 1 to %d", maxParallel)
	case s.context < 1:
		return s, errors.New("reading the flags: --context is less than 1")
	case s.port < 0 || s.port > 65535:
		return s, errors.New("reading the flags: --port is not 0 to 65535")
	}
	return s, nil
}

func serve(ctx context.Context, listener net.Listener, e *engine) error {
	server := &http.Server{
		Handler:           e.handler(),
		ReadHeaderTimeout: headerTimeout,
		// net/http would answer `OPTIONS *` before any credential is asked for.
		DisableGeneralOptionsHandler: true,
		BaseContext:                  func(net.Listener) context.Context { return ctx },
	}
	loaded := time.AfterFunc(e.settings.loadDelay, func() { e.loaded.Store(true) })
	defer loaded.Stop()
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}
