package cli

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/llorch/gateway/integration/testkit"
)

// Each testdata/*.txtar runs the command line as a user would.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, ".config"))
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, ".data"))
			env.Setenv("CANARY", tokenInfer)
			// As in an operator's directory: what is open there is open to others.
			return errors.Join(os.Chmod(env.WorkDir, 0o755), os.Chmod(filepath.Dir(env.WorkDir), 0o755))
		},
		Cmds:                scriptCommands,
		RequireExplicitExec: false,
		RequireUniqueNames:  true,
		UpdateScripts:       testkit.Updating(),
	})
}
