package main

import (
	"fmt"
	"os"

	"github.com/llorch/gateway/caddymodule"
	"github.com/llorch/gateway/caddymodule/cli"
	"github.com/spf13/cobra"
)

// stderrCommands are the Caddy commands that report errors to Caddy's log only. That
// may be a file by then, and the command would end without a message.
var stderrCommands = []string{"run", "validate"}

// reportingErrors makes one of stderrCommands print its error on stderr.
func reportingErrors(cmd *cobra.Command) *cobra.Command {
	inner := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, rest []string) error {
		cli.WarnOfNoGuard(cmd.Flag("config").Value.String(), os.Stderr)
		err := inner(cmd, rest)
		if err != nil {
			cmd.SilenceErrors = true
			fmt.Fprintf(os.Stderr, "llorch %s: %v\n", cmd.Name(), caddymodule.WithHint(err))
		}
		return err
	}
	if cmd.Name() == "run" {
		cmd.Short = "Runs the gateway with a Caddyfile, until it is stopped"
	}
	return cmd
}
