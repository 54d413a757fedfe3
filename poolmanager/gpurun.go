package poolmanager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxToolBytes bounds a tool's output; nvidia-smi -q -x prints 30 KiB a device.
const maxToolBytes = 4 << 20

// errNoTool says that a tool is not there, which is no error.
var errNoTool = errors.New("there is no such tool")

// runTool runs a tool and gives what it printed, also when it failed.
type runTool func(ctx context.Context, path string, args ...string) (string, error)

// hung are the tools that did not even end when they were killed, as a process
// does that waits for a broken driver: no second one is started beside it.
var hung sync.Map

// runCommand runs a tool for at most gpuLimit, whatever it does.
func runCommand(ctx context.Context, path string, args ...string) (string, error) {
	if _, stuck := hung.Load(path); stuck {
		return "", fmt.Errorf("%s: it still has not ended", path)
	}
	ctx, cancel := context.WithTimeout(ctx, gpuLimit)
	command := exec.CommandContext(ctx, path, args...)
	command.WaitDelay = time.Second
	command.Env = Template{}.environment(os.LookupEnv, startValues{}) // no token of ours
	command.Env = append(command.Env, "LC_ALL=C")
	output := &bytes.Buffer{}
	command.Stdout = &boundedWriter{output, maxToolBytes}
	ended := make(chan error, 1)
	go func() {
		defer cancel()
		err := command.Run()
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("it was killed after %v: %w", gpuLimit, err)
		}
		ended <- err
		hung.Delete(path) // after the sending: see below
	}()
	timer := time.NewTimer(gpuLimit + 2*time.Second) // killed, and its pipes closed
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
		return "", fmt.Errorf("%s: it does not end, not even when it is killed", path)
	}
}

// boundedWriter takes everything and keeps the beginning.
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

func findTool(names []string) (string, bool) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// failure is what a tool that failed says of itself, in one bounded line.
func toolFailure(output string, err error) error {
	line, _, _ := strings.Cut(strings.TrimSpace(output), "\n")
	line = strings.ToValidUTF8(line[:min(len(line), 200)], "")
	if line == "" {
		return err
	}
	return fmt.Errorf("%w: %q", err, line)
}

// meminfo reads a line of /proc/meminfo in bytes; 0 when it is not there.
func meminfo(path, key string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == key+":" {
			kib, err := strconv.ParseInt(fields[1], 10, 53)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
