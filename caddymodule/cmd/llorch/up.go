package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "up",
		Usage: "[--listen 127.0.0.1:8080] [--data-dir DIR] [--engine demo|llamacpp|ollama|http://HOST:PORT] [--model M] [--page 127.0.0.1:8082|off] [--open] [--config FILE] [--print-config]",
		Short: "Runs gateway, orchestrator, pool manager and an engine on this machine",
		Long: `
Runs the gateway in front of the orchestrator, the pool manager and an engine, in
one process and on loopback. The token of clients is LLORCH_API_TOKEN, else the
keyring in the data directory, else a new one, which is printed once.

A page for people listens on a second port; it shows what happens, to holders of a
token. --open opens it in the default browser, or says where it is.

--print-config prints the Caddyfile that it runs, and above it, in comments, the
commands that run gateway, orchestrator and pool manager without it. --config runs
that file, edited, in its place.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Flags().String("listen", "127.0.0.1:8080", "Where the gateway listens; loopback only")
			cmd.Flags().String("data-dir", "", "Where state is kept (default: $XDG_DATA_HOME/llorch or ~/.local/share/llorch)")
			cmd.Flags().String("engine", "demo", "demo, llamacpp, ollama, or the URL of a server that runs already")
			cmd.Flags().String("model", "", "The engine's model: a GGUF file for llamacpp, a name for ollama")
			cmd.Flags().String("page", "", "Where the page listens, loopback only, or off (default: 127.0.0.1:8082, or a free port if that is in use)")
			cmd.Flags().Bool("open", false, "Open the page in the default browser")
			cmd.Flags().String("config", "", "A Caddyfile to run in place of the built-in one")
			cmd.Flags().Bool("print-config", false, "Print the Caddyfile and stop")
			cmd.Args = cobra.NoArgs
			cmd.RunE = caddycmd.WrapCommandFuncForCobra(up)
		},
	})
}

// stopLimit bounds a stop, with or without open streams. Then the process exits.
const stopLimit = 4500 * time.Millisecond

// upOptions are the flags of up, checked.
type upOptions struct {
	listen  string
	dataDir string
	engine  string
	model   string
	config  string
	page    string // where it listens; "" for none
	open    bool

	pageMayMove bool // its port is the default one

	orchestrator string // addresses, known once the backends listen
	poolManager  string
}

// up runs the command. An error is one plain line on stderr, since Caddy buffers its
// log until the configuration names its output.
func up(flags caddycmd.Flags) (int, error) {
	caddy.BufferedLog()
	if err := runUp(flags); err != nil {
		fmt.Fprintln(os.Stderr, "llorch up:", strings.ReplaceAll(err.Error(), "\n", "; "))
		return caddy.ExitCodeFailedStartup, err
	}
	return caddy.ExitCodeSuccess, nil
}

func runUp(flags caddycmd.Flags) error {
	o, err := readUpOptions(flags)
	if err != nil {
		return err
	}
	if flags.Bool("print-config") {
		client, err := locateToken(o)
		if err != nil {
			return err
		}
		text, err := caddyfileFor(o, client)
		if err != nil {
			return err
		}
		above, err := standaloneSteps(o, client)
		if err != nil {
			return err
		}
		_, err = os.Stdout.WriteString(above + text)
		return err
	}
	ctx, cancel := backend.StopSignals(context.Background())
	defer cancel()
	backend.IgnoreHangUps() // like Caddy's run: SIGHUP must not end streams
	return runHome(ctx, o)
}

func readUpOptions(flags caddycmd.Flags) (upOptions, error) {
	o := upOptions{
		listen: flags.String("listen"), dataDir: flags.String("data-dir"),
		engine: flags.String("engine"), model: flags.String("model"), config: flags.String("config"),
	}
	if !authmin.IsLoopbackListen(o.listen) || strings.HasPrefix(o.listen, "unix/") {
		return o, fmt.Errorf("--listen %s: up serves this machine only; use 127.0.0.1:PORT, and `llorch run --config` for other machines", o.listen)
	}
	if err := checkReadable("--config", o.config); err != nil {
		return o, err
	}
	if err := o.readPage(flags.String("page"), flags.Bool("open")); err != nil {
		return o, err
	}
	switch {
	case o.engine == "demo", o.engine == "llamacpp", o.engine == "ollama":
	case strings.HasPrefix(o.engine, "http://"):
		if err := checkEngineAddress(o.engine); err != nil {
			return o, err
		}
	default:
		return o, fmt.Errorf("--engine %s: want demo, llamacpp, ollama or http://HOST:PORT", o.engine)
	}
	if o.engine == "llamacpp" && o.model == "" {
		return o, errors.New("--engine llamacpp needs --model FILE.gguf")
	}
	if o.dataDir == "" {
		home, err := defaultDataDir()
		if err != nil {
			return o, err
		}
		o.dataDir = home
	}
	absolute, err := filepath.Abs(o.dataDir)
	if err != nil {
		return o, fmt.Errorf("--data-dir %s: %w", o.dataDir, err)
	}
	o.dataDir = absolute
	return o, nil
}

func defaultDataDir() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "llorch"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("there is no home directory for state; name a directory with --data-dir")
	}
	return filepath.Join(home, ".local", "share", "llorch"), nil
}

// errInUse is wrapped by the error of [checkFree] for an address that is in use.
var errInUse = errors.New("in use by another program")

// checkFree refuses an address that is in use, before anything starts; flag chooses
// another. It returns the address, with a free port in place of port 0.
func checkFree(flag, address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return "", fmt.Errorf("%s is %w; stop it, or choose another port with %s", address, errInUse, flag)
		}
		return "", fmt.Errorf("listening on %s: %w", address, err)
	}
	bound := l.Addr().String()
	return bound, l.Close()
}
