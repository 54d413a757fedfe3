package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/caddymodule"
	"github.com/spf13/cobra"
)

const rootText = `llorch lets requests with a valid token through to LLM servers, and to any other HTTP
service, and refuses the rest. It is Caddy with the directive authmin. ` + "`llorch up`" + ` starts
it on this machine, in front of an orchestrator, a pool manager and an engine.`

// ourCommands come first in the help, in this order.
var ourCommands = []string{"up", "run", "node", "health", "version", caddymodule.AppName}

// shellCommands are those of a shell's and a package's set-up.
var shellCommands = []string{"help", "completion", "manpage"}

// replacingCommands would put a build of Caddy without llorch in the place of this
// program.
var replacingCommands = []string{"upgrade", "add-package", "remove-package"}

// newRoot is the command line: ours, and Caddy's. args is not nil.
func newRoot(args []string, stdout, stderr io.Writer) *cobra.Command {
	cobra.EnableCommandSorting = false
	root := &cobra.Command{Use: "llorch", Long: rootText, SilenceUsage: true, Version: backend.ThisBuild().Version}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetVersionTemplate(backend.ThisBuild().Text("llorch"))
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	for _, name := range slices.Sorted(maps.Keys(caddycmd.Commands())) {
		switch cmd := cobraCommand(caddycmd.Commands()[name]); {
		case slices.Contains(replacingCommands, name):
			root.AddCommand(refused(name))
		case slices.Contains(stderrCommands, name):
			root.AddCommand(reportingErrors(cmd))
		case name != "version" && !slices.Contains(shellCommands, name):
			root.AddCommand(cmd)
		}
	}
	root.AddCommand(versionCommand(), manpageCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	usual := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if cmd != root {
			usual(cmd, args)
			return
		}
		_, _ = io.WriteString(cmd.OutOrStdout(), rootHelp(root, styleOf(cmd.OutOrStdout())))
	})
	return root
}

// cobraCommand is a command that was registered with Caddy.
func cobraCommand(known caddycmd.Command) *cobra.Command {
	cmd := &cobra.Command{Use: strings.TrimSpace(known.Name + " " + known.Usage), Short: known.Short, Long: strings.TrimSpace(known.Long)}
	if known.CobraFunc != nil {
		known.CobraFunc(cmd)
		return cmd
	}
	cmd.RunE = caddycmd.WrapCommandFuncForCobra(known.Func)
	cmd.Flags().AddGoFlagSet(known.Flags)
	return cmd
}

// isCaddys reports whether Caddy itself runs a command: its exit statuses are its own.
func isCaddys(args []string) bool {
	if len(args) == 0 {
		return false
	}
	own := slices.Concat(ourCommands, shellCommands, replacingCommands, stderrCommands)
	_, known := caddycmd.Commands()[args[0]]
	return known && !slices.Contains(own, args[0])
}

func refused(name string) *cobra.Command {
	cmd := &cobra.Command{Use: name, Hidden: true, DisableFlagParsing: true}
	cmd.RunE = func(*cobra.Command, []string) error {
		return errors.New("not available: it would replace this program by a build of Caddy without authmin; install a release of llorch, or build with xcaddy")
	}
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Prints the version, its commit, and the versions of Caddy and Go", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), backend.ThisBuild().Text("llorch"))
			return err
		},
	}
}

// rootHelp is what `llorch`, `llorch help` and `llorch --help` print.
func rootHelp(root *cobra.Command, style style) string {
	var b strings.Builder
	b.WriteString(rootText + "\n\n" + style.title("Usage:") + "\n  llorch COMMAND [flags]\n")
	section := func(title string, commands []*cobra.Command, above string) {
		b.WriteString("\n" + style.title(title) + "\n")
		for _, cmd := range commands {
			fmt.Fprintf(&b, "  %-16s %s\n", above+cmd.Name(), cmd.Short)
		}
	}
	var ours, shell, caddys []*cobra.Command
	var policy *cobra.Command
	for _, name := range ourCommands {
		cmd, _, err := root.Find([]string{name})
		switch {
		case err != nil:
		case name == caddymodule.AppName:
			policy = cmd
		default:
			ours = append(ours, cmd)
		}
	}
	for _, cmd := range root.Commands() {
		switch name := cmd.Name(); {
		case slices.Contains(ourCommands, name) || cmd.Hidden:
		case slices.Contains(shellCommands, name):
			shell = append(shell, cmd)
		default:
			caddys = append(caddys, cmd)
		}
	}
	section("Commands:", ours, "")
	section("Tokens and the access policy:", policy.Commands(), policy.Name()+" ")
	section("Shell:", shell, "")
	section("Caddy's commands (https://caddyserver.com/docs/command-line):", caddys, "")
	b.WriteString("\n`llorch help COMMAND` shows a command's flags.\n")
	return b.String()
}

// execute runs the command line, and returns the exit status.
func execute(args []string, stdout, stderr *os.File) int {
	if newRoot(args, stdout, stderr).Execute() != nil {
		return 1
	}
	return 0
}
