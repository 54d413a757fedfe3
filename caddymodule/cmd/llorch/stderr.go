package main

import (
	"fmt"
	"os"
	"slices"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/llorch/gateway/caddymodule"
	"github.com/llorch/gateway/caddymodule/cli"
	"github.com/spf13/cobra"
)

// stderrCommands are the Caddy commands that report errors to Caddy's log only. That
// may be a file by then, and the command would end without a message.
var stderrCommands = []string{"run", "validate"}

// runReportingErrors runs one of stderrCommands, and prints its error on stderr. ran is
// false if the arguments name another command.
func runReportingErrors(args []string) (code int, ran bool) {
	if len(args) == 0 || !slices.Contains(stderrCommands, args[0]) {
		return 0, false
	}
	known, ok := caddycmd.Commands()[args[0]]
	if !ok || known.CobraFunc == nil {
		return 0, false // another version of Caddy: let it run the command
	}
	cmd := &cobra.Command{Use: known.Name + " " + known.Usage, Short: known.Short, Long: known.Long, SilenceUsage: true}
	known.CobraFunc(cmd)
	inner := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, rest []string) error {
		cli.WarnOfNoGuard(cmd.Flag("config").Value.String(), os.Stderr)
		err := inner(cmd, rest)
		if err != nil {
			cmd.SilenceErrors = true
			fmt.Fprintf(os.Stderr, "llorch %s: %v\n", known.Name, caddymodule.WithHint(err))
		}
		return err
	}
	root := &cobra.Command{Use: "llorch"}
	root.AddCommand(cmd)
	root.SetArgs(args)
	if root.Execute() != nil {
		return 1, true
	}
	return 0, true
}
