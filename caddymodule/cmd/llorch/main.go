// Command llorch is Caddy with the authmin module built in, and `up`: gateway,
// orchestrator, pool manager and engine in one process on loopback.
//
//	llorch up
//	llorch run --config Caddyfile
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/llorch/gateway/caddymodule/cli"
	"github.com/spf13/cobra"
)

func main() {
	// Not a command of Caddy's: the engine starts fast, and takes nothing of Caddy's
	// with it.
	if len(os.Args) > 1 && os.Args[1] == demoEngineCommand {
		os.Exit(runDemoEngine(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "reload" {
		noteReload(os.Stderr, os.Args[2:])
	}
	caddy.CustomBinaryName = "llorch"
	if code, is := runTold(os.Args[1:]); is {
		os.Exit(code)
	}
	caddycmd.Main()
}

// noteReload says what the reload that follows cannot take up: a reload that says
// success while a secret stays the old one would be a trap.
func noteReload(out io.Writer, args []string) {
	flags := new(cobra.Command).Flags()
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.SetOutput(io.Discard)
	config := flags.StringP("config", "c", "Caddyfile", "")
	if flags.Parse(args) != nil {
		return
	}
	for _, note := range cli.ReloadNotes(*config) {
		_, _ = fmt.Fprintln(out, "note:", note)
	}
}
