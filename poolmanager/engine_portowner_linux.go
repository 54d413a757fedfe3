package poolmanager

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// checkPort refuses a port at which another user's program listens. The port was
// free when it was chosen; a program that opens it before the engine does must get
// neither its key nor its tasks. Root is trusted. If we are root ourselves, an
// engine may run as any user, and there is no check.
func checkPort(port int) error { return checkListeners("/proc/net", port, os.Getuid()) }

// checkListeners reads tcp and tcp6 of proc_pid_net(5): the second field is
// ADDRESS:PORT, the fourth the state, the eighth the user.
func checkListeners(dir string, port, uid int) error {
	if uid == 0 {
		return nil
	}
	const listening = "0A" // TCP_LISTEN of include/net/tcp_states.h
	for _, name := range []string{"tcp", "tcp6"} {
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			continue // no such protocol here
		}
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) < 8 || fields[3] != listening || !strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
				continue
			}
			if owner, err := strconv.Atoi(fields[7]); err != nil || owner != uid && owner != 0 {
				return fmt.Errorf("a program of another user (uid %s) listens at the engine's port %d", fields[7], port)
			}
		}
	}
	return nil
}
