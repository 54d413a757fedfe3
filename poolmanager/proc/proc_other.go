//go:build unix && !linux

package proc

import (
	"context"
	"syscall"
	"time"
)

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// waitWithoutReaping needs a call that other systems lack: there the group of a
// leader that ended by itself is not killed.
func waitWithoutReaping(int) bool { return false }

func identify(pid int) Identity { return Identity{PID: pid} }

// Alive is always false: without /proc no process can be told from a later one
// of the same number.
func (i Identity) Alive() bool { return false }

// End does nothing without /proc.
func (i Identity) End(context.Context, time.Duration) {}

// EndMarked finds nothing without /proc.
func EndMarked(...string) int { return 0 }

// Resident is not known without /proc.
func Resident(map[int]bool) int64 { return 0 }
