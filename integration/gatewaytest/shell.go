package gatewaytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// scriptLimit bounds one script of a document: a command runs in a second, on a
// busy machine in several.
const scriptLimit = 180 * time.Second

// Script runs the lines of a document in one shell, as a person would who
// pastes them one after the other, and returns the output of each. On the
// PATH are the built llorch and a curl; the first line that fails ends it.
func Script(t testing.TB, env []string, lines ...string) ([]string, error) {
	t.Helper()
	return ScriptIn(t, t.TempDir(), env, lines...)
}

// ScriptIn is Script in a folder, which is also the home folder. A line may be
// several that belong together.
func ScriptIn(t testing.TB, dir string, env []string, lines ...string) ([]string, error) {
	t.Helper()
	const mark = "\x01next\x01"
	var text strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&text, "%s\nprintf '%s'\n", line, mark)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scriptLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", text.String())
	cmd.Dir = dir
	cmd.Env = append([]string{"HOME=" + dir, "PATH=" + programs(t) + ":" + os.Getenv("PATH")}, env...)
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	outputs := strings.Split(out.String(), mark)
	outputs = outputs[:min(len(outputs), len(lines))]
	if err != nil {
		err = fmt.Errorf("line %d, %q: %w: %s", len(outputs), lines[len(outputs)-1], errors.Join(err, ctx.Err()), errs.String())
	}
	return outputs, err
}

// programs is a folder with our programs and the stand-ins.
func programs(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]string{"llorch": Binary(t)}
	for name := range standIns {
		links[name] = self
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
