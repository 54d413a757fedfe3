package cli

import (
	"fmt"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/llorch/gateway/caddymodule"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  caddymodule.AppName,
		Usage: "token|check|lint|explain|test|doctor|audit|usage",
		Short: "Makes tokens, and checks, explains and tests the access policy",
		Long: `
Makes and revokes the tokens of a keyring file, finds routes of a Caddyfile that
no guard covers, explains and tests its rules, and finds problems of this machine.

Output for programs goes to stdout, output for people to stderr. No command takes a token as an argument, and only 'token new' and 'token rotate' print one.`,
		CobraFunc: func(cmd *cobra.Command) {
			group(cmd)
			cmd.SetFlagErrorFunc(flagError)
			for _, build := range subcommands {
				cmd.AddCommand(build())
			}
		},
	})
}

// subcommands build the commands below `authmin`. A file with a command adds it in an
// init function.
var subcommands []func() *cobra.Command

// group makes a command that only holds others refuse arguments. The error does not
// repeat them: an argument in the wrong place could be a token.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
		return fmt.Errorf("%s: want one of %s; see %s --help", cmd.CommandPath(), strings.Join(names, ", "), cmd.CommandPath())
	}
	return cmd
}

// flagError replaces cobra's messages, which repeat the argument: a token may begin with
// a dash.
func flagError(cmd *cobra.Command, _ error) error {
	return fmt.Errorf("%s: a flag is unknown or has no value; see %s --help", cmd.CommandPath(), cmd.CommandPath())
}

// arguments checks the number of arguments. Its error says what is wanted and does not
// repeat them.
func arguments(least, most int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fmt.Errorf("%s: want %s", cmd.CommandPath(), want)
		}
		return nil
	}
}
