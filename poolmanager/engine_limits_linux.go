package poolmanager

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// limit sets the limits of a process that has just been started; its children
// have them too.
func (t Template) limit(pid int) error {
	for _, l := range []struct {
		name     string
		resource int
		value    uint64
	}{
		{"open files", unix.RLIMIT_NOFILE, uint64(t.MaxOpenFiles)},
		{"address space", unix.RLIMIT_AS, uint64(t.MaxAddressSpaceBytes)},
	} {
		if l.value == 0 {
			continue
		}
		if err := unix.Prlimit(pid, l.resource, &unix.Rlimit{Cur: l.value, Max: l.value}, nil); err != nil {
			return fmt.Errorf("limiting the engine's %s: %w", l.name, err)
		}
	}
	return nil
}
