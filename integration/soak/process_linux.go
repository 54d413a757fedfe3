package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// stopLimit is how long a clean stop may take before the process is killed.
const stopLimit = 20 * time.Second

// process is one program of a host, running or not.
type process struct {
	name    string // such as gateway1
	command []string
	env     []string
	dir     string // its files, whose size is sampled

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	starts int
	wanted bool // it is meant to run: an end of its own is a broken rule
	paused bool
}

// start runs the program; its output goes to a bounded log.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	out, err := openLog(filepath.Join(p.dir, p.name+".log"))
	if err != nil {
		return err
	}
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, out, out
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "XDG_CONFIG_HOME=" + p.dir, "XDG_DATA_HOME=" + p.dir}, p.env...)
	// A soak that is killed must not leave processes behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second // an engine that outlives its pool manager holds the pipe
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting %s: %w", p.name, err), out.Close())
	}
	exited := make(chan struct{})
	go func() { // ends with the process
		_ = cmd.Wait() // how it ended is in its log
		_ = out.Close()
		close(exited)
	}()
	p.cmd, p.exited, p.wanted, p.paused = cmd, exited, true, false
	p.starts++
	return nil
}

// end sends a signal and waits until the process is gone.
func (p *process) end(sig syscall.Signal) error {
	p.mu.Lock()
	cmd, exited := p.cmd, p.exited
	p.wanted = false
	p.mu.Unlock()
	if cmd == nil {
		return nil
	}
	_ = cmd.Process.Signal(sig)
	var late error
	select {
	case <-exited:
	case <-time.After(stopLimit):
		late = fmt.Errorf("stopping %s: still running after %v", p.name, stopLimit)
		_ = cmd.Process.Kill()
		<-exited
	}
	p.mu.Lock()
	p.cmd = nil
	p.mu.Unlock()
	return late
}

// pause stops the process from running, or lets it go on.
func (p *process) pause(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	sig := syscall.SIGCONT
	if paused {
		sig = syscall.SIGSTOP
	}
	_ = p.cmd.Process.Signal(sig)
	p.paused = paused
}

// pid is the process's id; 0 while it does not run.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// state is what a sample needs.
func (p *process) state() (pid, starts int, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		pid = p.cmd.Process.Pid
	}
	return pid, p.starts, p.paused
}

// died reports whether the process has ended though it was meant to run, once.
func (p *process) died() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || !p.wanted {
		return false
	}
	select {
	case <-p.exited:
		p.wanted = false
		return true
	default:
		return false
	}
}
