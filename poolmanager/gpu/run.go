package gpu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxToolBytes bounds a tool's output; nvidia-smi -q -x prints 30 KiB a device.
const maxToolBytes = 4 << 20

// ErrNoTool is the error of a RunTool for a tool that is not installed. A machine
// without tools has no GPU, so Measure does not report it.
var ErrNoTool = errors.New("tool not found")

// RunTool runs a tool and gives what it printed, also when it failed.
type RunTool func(ctx context.Context, path string, args ...string) (string, error)

// hung are the tools that did not exit after SIGKILL, because a broken driver blocks
// them: no second process is started beside one.
var hung sync.Map

// runCommand runs a tool for at most toolLimit.
func (m *Monitor) runCommand(ctx context.Context, path string, args ...string) (string, error) {
	if _, stuck := hung.Load(path); stuck {
		return "", fmt.Errorf("%s: an earlier run has not exited", path)
	}
	ctx, cancel := context.WithTimeout(ctx, toolLimit)
	command := exec.CommandContext(ctx, path, args...)
	command.WaitDelay = time.Second
	command.Env = append(slices.Clone(m.Environment), "LC_ALL=C")
	output := &bytes.Buffer{}
	command.Stdout = &boundedWriter{output, maxToolBytes}
	ended := make(chan error, 1)
	go func() {
		defer cancel()
		err := command.Run()
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("it was killed after %v: %w", toolLimit, err)
		}
		ended <- err
		hung.Delete(path) // after the sending: see below
	}()
	timer := time.NewTimer(toolLimit + 2*time.Second) // killed, and its pipes closed
	defer timer.Stop()
	select {
	case err := <-ended:
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
		return output.String(), err
	case <-timer.C:
		hung.Store(path, true)
		select {
		case <-ended: // just now
			hung.Delete(path)
		default:
		}
		return "", fmt.Errorf("%s: did not exit after SIGKILL", path)
	}
}

// boundedWriter accepts all bytes and keeps the first ones.
type boundedWriter struct {
	to   io.Writer
	left int
}

func (b *boundedWriter) Write(p []byte) (int, error) {
	keep := min(len(p), b.left)
	b.left -= keep
	if _, err := b.to.Write(p[:keep]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// findTool is the first of the names that is installed.
func findTool(names []string) (string, bool) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// toolFailure is the error of a failed tool with its output in one bounded line.
func toolFailure(output string, err error) error {
	line, _, _ := strings.Cut(strings.TrimSpace(output), "\n")
	line = strings.ToValidUTF8(line[:min(len(line), 200)], "")
	if line == "" {
		return err
	}
	return fmt.Errorf("%w: %q", err, line)
}
