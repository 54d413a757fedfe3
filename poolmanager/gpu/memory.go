package gpu

import (
	"os"
	"strconv"
	"strings"
)

// MachineMemory is the machine's own memory in bytes, in all and available to a
// new process; 0 where it cannot be read.
func MachineMemory() (total, available int64) {
	return meminfo("/proc/meminfo", "MemTotal"), meminfo("/proc/meminfo", "MemAvailable")
}

// meminfo reads a line of /proc/meminfo in bytes; 0 when it is not there.
func meminfo(path, key string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == key+":" {
			kib, err := strconv.ParseInt(fields[1], 10, 53)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
