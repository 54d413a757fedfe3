//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// detach keeps Ctrl-C, which a terminal sends to all programs of its foreground, from the
// browser.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
