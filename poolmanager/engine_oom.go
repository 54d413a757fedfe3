package poolmanager

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// oomKills is how many processes the kernel's OOM killer has ended: in our control group and below it (memory.events of cgroup v2, "oom_kill"),
// or, where that cannot be read, on this machine (/proc/vmstat, "oom_kill"). It is
// 0 on systems without either. An exit by KILL alone does not say who killed; one
// together with a count that moved since the last good probe does.
func oomKills() int64 {
	if group, ok := controlGroup("/proc/self/cgroup"); ok {
		if n, ok := counter(filepath.Join("/sys/fs/cgroup", group, "memory.events"), "oom_kill"); ok {
			return n
		}
	}
	n, _ := counter("/proc/vmstat", "oom_kill")
	return n
}

// controlGroup is our place in the unified hierarchy: the line "0::/path" of
// cgroups(7).
func controlGroup(path string) (string, bool) {
	file, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if group, ok := strings.CutPrefix(lines.Text(), "0::"); ok {
			return group, true
		}
	}
	return "", false
}

// counter reads one line "name number".
func counter(path, name string) (int64, bool) {
	file, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), " ")
		if key == name {
			n, err := strconv.ParseInt(value, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
