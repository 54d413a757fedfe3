package proc

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollEvery is how often a process that is not our child is polled for its end.
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

// stat reads the start time and the state of a process.
func stat(pid int) (ticks int64, state byte, ok bool) {
	fields := statFields(pid)
	if len(fields) < 20 {
		return 0, 0, false
	}
	ticks, err := strconv.ParseInt(string(fields[19]), 10, 64)
	return ticks, fields[0][0], err == nil
}

// statFields gives /proc/PID/stat from field 3, the state, on; none if it cannot
// be read. The name in it may hold spaces and brackets: fields are counted after
// the last bracket.
func statFields(pid int) [][]byte {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	end := bytes.LastIndexByte(line, ')')
	if err != nil || end < 0 {
		return nil
	}
	return bytes.Fields(line[end+1:])
}

// Alive reports whether exactly this process still runs; a zombie does not.
func (i Identity) Alive() bool {
	ticks, state, ok := stat(i.PID)
	return ok && i.StartTicks != 0 && ticks == i.StartTicks && state != 'Z' && state != 'X'
}

// End ends a process of an earlier run: TERM to its group, KILL after the grace. It
// sends no signal unless pid and start time both match.
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

// Resident is how much main memory the processes of these groups hold. What two
// of them share is counted twice.
func Resident(groups map[int]bool) int64 {
	entries, err := os.ReadDir("/proc")
	if err != nil || len(groups) == 0 {
		return 0
	}
	var pages int64
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		fields := statFields(pid)
		if len(fields) < 22 {
			continue
		}
		group, err := strconv.Atoi(string(fields[2])) // field 5 of proc_pid_stat(5)
		if err != nil || !groups[group] {
			continue
		}
		if n, err := strconv.ParseInt(string(fields[21]), 10, 64); err == nil { // field 24
			pages += n
		}
	}
	return pages * int64(os.Getpagesize())
}

// EndMarked kills every process of this user whose marker begins with one of the
// prefixes, waits until they are gone, and gives how many there were. Reading the
// environment of another user's process fails, so it is left alone.
func EndMarked(prefixes ...string) int {
	prefixes = slices.DeleteFunc(slices.Clone(prefixes), func(p string) bool { return p == "" })
	if len(prefixes) == 0 {
		return 0
	}
	ended := map[Identity]bool{}
	// One scan without a match is enough, unless a process changed meanwhile: during
	// an exec it has no environment, and one that forks and exits may stay ahead of
	// the scan.
	for quiet, pass := 0, 0; quiet < 2 && pass < maxPasses; pass++ {
		found, moved := findMarked(prefixes)
		for _, f := range found {
			_ = syscall.Kill(f.PID, syscall.SIGKILL)
			ended[f] = true
		}
		switch {
		case len(found) > 0:
			quiet = 0
			time.Sleep(passPause)
		case moved:
			quiet++
		default:
			quiet = 2
		}
	}
	return len(ended)
}

// findMarked lists the running processes with a marker. moved says that the marker of
// some process could not be read.
func findMarked(prefixes []string) (found []Identity, moved bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, false
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		yes, unknown := marked(pid, prefixes)
		moved = moved || unknown
		if !yes {
			continue
		}
		identity := identify(pid)
		// Read again after the identity, so that the pid was not reused in between.
		if yes, _ := marked(pid, prefixes); yes && identity.Alive() {
			found = append(found, identity)
		}
	}
	return found, moved
}

// marked reads the marker of a process. unknown is true for one that has just
// ended or is in the middle of an exec.
func marked(pid int, prefixes []string) (yes, unknown bool) {
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return false, false
	case err != nil:
		return false, true
	case len(environment) == 0:
		return false, !empty(pid)
	}
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		marker, ok := bytes.CutPrefix(variable, []byte(MarkerName+"="))
		if ok && slices.ContainsFunc(prefixes, func(p string) bool { return bytes.HasPrefix(marker, []byte(p)) }) {
			return true, false
		}
	}
	return false, false
}

// kernelThread is PF_KTHREAD of include/linux/sched.h, in field 9 of
// /proc/PID/stat.
const kernelThread = 0x00200000

// empty reports whether a process has no environment by its nature: a zombie or a
// kernel thread.
func empty(pid int) bool {
	fields := statFields(pid)
	if len(fields) < 7 {
		return false
	}
	flags, err := strconv.ParseUint(string(fields[6]), 10, 64)
	return fields[0][0] == 'Z' || err == nil && flags&kernelThread != 0
}
