//go:build unix

package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// MarkerName is the environment variable that marks a parent's processes.
const MarkerName = "LLORCH_ENGINE_MARKER"

// pipeWait is how long output is still read after the leader ended: a
// grandchild may hold the pipe open for ever.
const pipeWait = 500 * time.Millisecond

// Spec says what to run. Env is the child's whole environment: no variable is inherited.
type Spec struct {
	Command []string
	Env     []string
	Dir     string
	Output  io.Writer // both stdout and stderr; nil discards
	Marker  string
}

// Process is a running child and its group.
type Process struct {
	cmd   *exec.Cmd
	ident Identity
	done  chan struct{}

	mu   sync.Mutex // guards gone; held over each signal, so that none goes to a reaped pid
	gone bool
}

// Start runs the command. The child's life is tied to one thread of this
// program, because PR_SET_PDEATHSIG fires when the thread that forked ends, not
// the program (golang.org/issue/27505): so one locked goroutine starts and waits.
func Start(spec Spec) (*Process, error) {
	if len(spec.Command) == 0 {
		return nil, errors.New("starting a process: no command")
	}
	cmd := exec.Command(spec.Command[0], spec.Command[1:]...)
	cmd.Env = append(append([]string{}, spec.Env...), MarkerName+"="+spec.Marker)
	cmd.Dir, cmd.Stdout, cmd.Stderr = spec.Dir, spec.Output, spec.Output
	cmd.WaitDelay = pipeWait
	cmd.SysProcAttr = attributes()
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Command[0], err)
	}
	return p, nil
}

func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	// An unreaped child cannot lose its /proc entry, so this cannot race.
	p.ident = identify(p.cmd.Process.Pid)
	started <- nil
	if waitWithoutReaping(p.ident.PID) {
		// The zombie still holds the pid, so the group is certainly ours.
		p.signal(syscall.SIGKILL)
		p.forget()
	}
	_ = p.cmd.Wait() // the state is in ProcessState
	p.forget()
	close(p.done)
}

// Identity is what finds the process again after this program was restarted.
func (p *Process) Identity() Identity { return p.ident }

// Done is closed when the process has ended and its group was killed.
func (p *Process) Done() <-chan struct{} { return p.done }

// State is how it ended; call it after Done.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Terminate asks the group to end, kills it after the grace, and returns when
// the process is gone.
func (p *Process) Terminate(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return
	case <-timer.C:
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}

// forget ends all signalling: the kernel may soon reuse the pid.
func (p *Process) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
}

// Hold calls f while the pid is certainly this process's, running or not yet
// reaped. Afterwards, when the kernel may have reused the pid, f is not called and the
// error is nil: Done reports the end.
func (p *Process) Hold(f func(pid int) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return nil
	}
	return f(p.ident.PID)
}

func (p *Process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		_ = syscall.Kill(-p.ident.PID, s) // ESRCH: already gone
	}
}
