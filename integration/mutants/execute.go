package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// maxOutput bounds what is kept of a command's output: its beginning, which has the first
// failure, and nothing beyond.
const maxOutput = 8 << 20

// compile makes a test binary. flags are added to GOFLAGS.
func (r *runner) compile(ctx context.Context, m *Mutant, binary, flags string) (output string, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.build)
	defer cancel()
	args := []string{"test", "-c", "-o", binary}
	if m.Tags != "" {
		args = append(args, "-tags", m.Tags)
	}
	return r.command(ctx, r.root, flags, "go", append(args, m.Package)...)
}

// execute runs the tests of a mutant. It reports whether they had to be killed.
func (r *runner) execute(ctx context.Context, m *Mutant, binary, flags string) (output string, err error, expired bool) {
	killed, cancel := context.WithTimeout(ctx, r.kill)
	defer cancel()
	output, err = r.command(killed, filepath.Join(r.root, filepath.FromSlash(m.Package)), flags, binary,
		"-test.run", "^("+m.Tests+")$", "-test.v", "-test.timeout", r.test.String(), "-test.paniconexit0")
	return output, err, errors.Is(killed.Err(), context.DeadlineExceeded)
}

// command runs a program with flags added to GOFLAGS, and ends what it leaves behind.
func (r *runner) command(ctx context.Context, dir, flags, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	ownGroup(cmd)
	cmd.Dir = dir
	// As in .ci/run: a binary without DWARF is linked in a third of the time.
	goflags := strings.TrimSpace(os.Getenv("GOFLAGS") + " -ldflags=-w -vet=off " + flags)
	cmd.Env = append(os.Environ(), "GOFLAGS="+goflags, "PWD="+dir)
	var output limitedBuffer
	cmd.Stdout, cmd.Stderr = &output, &output
	// Programs that a killed test has started keep its output open.
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	return output.String(), err
}

// limitedBuffer keeps the first maxOutput bytes.
type limitedBuffer struct{ kept bytes.Buffer }

// Write implements [io.Writer].
func (b *limitedBuffer) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(len(p), max(0, maxOutput-b.kept.Len()))])
	return len(p), nil
}

func (b *limitedBuffer) String() string { return b.kept.String() }
