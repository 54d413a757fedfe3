package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// members gives the processes of a process group.
func members(group int) (ids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The name of a program is in parentheses and may have spaces; after it come the
		// state, the parent and the group. proc_pid_stat(5).
		_, after, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(after)
		if len(fields) < 3 || fields[2] != strconv.Itoa(group) {
			continue
		}
		if id, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// cpu is the processor time of all processes of the proxy.
func (p *proxy) cpu() (sum time.Duration, err error) {
	for _, c := range p.commands {
		for _, id := range members(c.Process.Pid) {
			// clock_getcpuclockid(3): the clock of a process is made of its id.
			var at syscall.Timespec
			if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(^id<<3|2), uintptr(unsafe.Pointer(&at)), 0); errno != 0 {
				return 0, errno
			}
			sum += time.Duration(at.Nano())
		}
	}
	return sum, nil
}

// memory is the resident memory of all processes of the proxy, in MiB. Pages that they
// share count for each.
func (p *proxy) memory() (sum float64) {
	for _, c := range p.commands {
		for _, id := range members(c.Process.Pid) {
			text, err := os.ReadFile("/proc/" + strconv.Itoa(id) + "/statm")
			fields := strings.Fields(string(text))
			if err != nil || len(fields) < 2 {
				continue
			}
			pages, _ := strconv.ParseFloat(fields[1], 64)
			sum += pages * float64(os.Getpagesize()) / (1 << 20)
		}
	}
	return sum
}
