package authmin

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// FileState is what a file looked like at one moment. Comparing two of them
// tells a changed file from an unchanged one, through renames, symlink swaps and
// rewrites in place.
type FileState struct {
	device, inode     uint64
	links             uint64
	size              int64
	modified, changed int64       // Unix nanoseconds; changed cannot be set back by a program
	mode              fs.FileMode // a file with a wrong one is refused until it is mended
	problem           string      // why there is nothing to compare
}

// FileStateOf looks at the file at path, its links followed. It opens nothing,
// so that a FIFO or a device cannot hold it up.
func FileStateOf(path string) FileState {
	info, err := os.Stat(path)
	if err != nil {
		return FileState{problem: err.Error()}
	}
	s := FileState{links: 1, size: info.Size(), modified: info.ModTime().UnixNano(), mode: info.Mode()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		s.device, s.inode, s.links = uint64(stat.Dev), stat.Ino, uint64(stat.Nlink)
		s.changed = changeTime(stat)
	}
	return s
}

// Unlinked reports whether the path leads to a file that has been removed or
// replaced elsewhere: a mount of the single file keeps it reachable, and never
// shows the file that took its place.
func (s FileState) Unlinked() bool {
	return s.problem == "" && s.mode.IsRegular() && s.links == 0
}

// recent reports whether the file changed so shortly before a moment that a
// further change need not show in its times, which are coarse on some file
// systems.
func (s FileState) recent(now time.Time) bool {
	const coarsest = 2 * time.Second // FAT and old network file systems
	return now.UnixNano()-max(s.modified, s.changed) < int64(coarsest)
}

// DetachedError says why changes of a mounted file are not seen, and the remedy.
// It is nil when they are.
//
// A single file mounted into a container stays the file that it was when the
// container started: a rename outside, which is how editors, `authmin token` and
// secret managers replace a file, is not seen inside. With the directory mounted
// it is.
func DetachedError(path string, s FileState) error {
	const remedy = "mount its directory in place of the file, and restart"
	if s.Unlinked() {
		return fmt.Errorf("%s has been replaced or removed outside, and the file that is mounted here is the old one: %s", path, remedy)
	}
	if mounted, err := IsMountPoint(path); err == nil && mounted {
		return fmt.Errorf("%s is a single file mounted by itself, so that its replacement outside will not be seen here: %s", path, remedy)
	}
	return nil
}
