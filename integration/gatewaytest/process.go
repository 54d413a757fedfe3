package gatewaytest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// stopLimit is how long a stop may take before it counts as a failure: the
// promise of "llorch up" is 5 s.
const stopLimit = 5 * time.Second

// A Process is one running program.
type Process struct {
	cmd    *exec.Cmd
	out    testkit.Buffer // both streams
	exited chan struct{}  // closed when the process is gone
	err    error          // how it went; read after exited
}

// Command prepares llorch with an environment of its own: nothing of the
// caller's but PATH, a fresh home folder, and what env adds.
func Command(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	return CommandOf(t, "llorch", env, args...)
}

// CommandOf is Command for another one of our programs.
func CommandOf(t testing.TB, program string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	home := t.TempDir()
	cmd := exec.Command(Program(t, program), args...)
	cmd.Dir = home
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		"XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
		"XDG_DATA_HOME=" + filepath.Join(home, "data"),
	}, env...)
	return cmd
}

// Start runs llorch until the test ends or Stop is called.
func Start(t testing.TB, env []string, args ...string) *Process {
	t.Helper()
	return StartCommand(t, Command(t, env, args...))
}

// StartCommand is Start for a command that the caller has prepared.
func StartCommand(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	// An engine that outlives llorch must not hold Wait by its output pipe.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("stopping %s: %v\n%s", cmd.Path, err, p.Output())
		}
		if t.Failed() {
			t.Logf("output of %v:\n%s", cmd.Args, p.Output())
		}
	})
	return p
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output is all that the process has written so far, both streams together.
func (p *Process) Output() string { return p.out.String() }

// Exited is closed when the process is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// ExitCode is the code of a process that has exited; -1 for one killed.
func (p *Process) ExitCode() int {
	<-p.exited
	return p.cmd.ProcessState.ExitCode()
}

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Stop interrupts the process and waits; one that is still there after 5 s is
// killed and reported. To stop what has already ended is no error.
func (p *Process) Stop() error {
	if err := p.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("interrupting: %w", err)
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopLimit):
	}
	if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing: %w", err)
	}
	<-p.exited
	return fmt.Errorf("still running %v after the interrupt", stopLimit)
}
