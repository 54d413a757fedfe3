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
	_ "github.com/llorch/gateway/caddymodule/page"
	"github.com/spf13/cobra"
)

func main() {
	// Not a Caddy command: the demo engine starts fast, and runs none of Caddy.
	if len(os.Args) > 1 && os.Args[1] == demoEngineCommand {
		os.Exit(runDemoEngine(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "reload" {
		printReloadNotes(os.Stderr, os.Args[2:])
	}
	caddy.CustomBinaryName = "llorch"
	if isCaddys(os.Args[1:]) {
		caddycmd.Main()
	}
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// printReloadNotes lists what the reload that follows cannot apply, such as a secret
// from an environment variable: the reload succeeds, and the old secret stays in use.
func printReloadNotes(out io.Writer, args []string) {
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
