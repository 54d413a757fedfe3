package proc

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollEvery is how often an adopted process, which is not our child, is looked at.
const pollEvery = 20 * time.Millisecond

// maxPasses and passPause bound EndMarked: a killed process takes a few
// milliseconds to go, half a second when the machine is busy.
const (
	maxPasses = 100
	passPause = 5 * time.Millisecond
)

func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func waitWithoutReaping(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}

func identify(pid int) Identity {
	ticks, _, ok := stat(pid)
	if !ok {
		return Identity{PID: pid}
	}
	return Identity{PID: pid, StartTicks: ticks}
}

// stat reads the start time and the state from /proc/PID/stat. The name in it
// may hold spaces and brackets: fields are counted after the last bracket.
func stat(pid int) (ticks int64, state byte, ok bool) {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, false
	}
	end := bytes.LastIndexByte(line, ')')
	fields := bytes.Fields(line[end+1:])
	if end < 0 || len(fields) < 20 {
		return 0, 0, false
	}
	ticks, err = strconv.ParseInt(string(fields[19]), 10, 64)
	return ticks, fields[0][0], err == nil
}

// Alive reports whether exactly this process still runs; a zombie does not.
func (i Identity) Alive() bool {
	ticks, state, ok := stat(i.PID)
	return ok && i.StartTicks != 0 && ticks == i.StartTicks && state != 'Z' && state != 'X'
}

// End ends what a predecessor started: TERM to its group, KILL after the grace.
// It touches nothing unless pid and start time both match.
func (i Identity) End(ctx context.Context, grace time.Duration) {
	if !i.Alive() {
		return
	}
	_ = syscall.Kill(-i.PID, syscall.SIGTERM)
	deadline, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for i.Alive() {
		select {
		case <-ticker.C:
		case <-deadline.Done():
			_ = syscall.Kill(-i.PID, syscall.SIGKILL)
			return
		}
	}
}

// EndMarked kills every process of this user whose marker begins with prefix,
// waits until they are gone, and gives how many there were. Reading the
// environment of a process that belongs to somebody else fails, and so it is
// left alone.
func EndMarked(prefix string) int {
	if prefix == "" {
		return 0
	}
	ended := map[Identity]bool{}
	// Two passes that find nothing: in the middle of an exec a process has no
	// environment, and one that forks may be ahead of a pass.
	for quiet, pass := 0, 0; quiet < 2 && pass < maxPasses; pass++ {
		quiet++
		for _, found := range findMarked(prefix) {
			_ = syscall.Kill(found.PID, syscall.SIGKILL)
			ended[found] = true
			quiet = 0
		}
		if quiet == 0 {
			time.Sleep(passPause)
		}
	}
	return len(ended)
}

// findMarked lists the living processes with the marker.
func findMarked(prefix string) []Identity {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []Identity
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() || !marked(pid, prefix) {
			continue
		}
		identity := identify(pid)
		// Asked again after the identity was taken: the pid was not reused between.
		if marked(pid, prefix) && identity.Alive() {
			found = append(found, identity)
		}
	}
	return found
}

func marked(pid int, prefix string) bool {
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false
	}
	for variable := range strings.SplitSeq(string(environment), "\x00") {
		if strings.HasPrefix(variable, MarkerName+"="+prefix) {
			return true
		}
	}
	return false
}
