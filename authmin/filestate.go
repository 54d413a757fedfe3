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
	mode              fs.FileMode // compared as well: a corrected mode makes a refused file valid
	problem           string      // error of stat; "" when the file exists
}

// FileStateOf returns the state of the file at path, following links. It does not
// open the file, so a FIFO or device cannot block it.
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

// Unlinked reports whether the path leads to a file that was removed or replaced
// outside a container: a mount of the single file keeps the old file reachable and
// never shows the new one.
func (s FileState) Unlinked() bool {
	return s.problem == "" && s.mode.IsRegular() && s.links == 0
}

// recent reports whether the file changed so shortly before now that a further
// change may leave its times as they are: times are coarse on some file systems.
func (s FileState) recent(now time.Time) bool {
	const coarsest = 2 * time.Second // FAT and old network file systems
	return now.UnixNano()-max(s.modified, s.changed) < int64(coarsest)
}

// DetachedError returns an error with the remedy if changes of the file at path
// cannot be seen because the single file is mounted into a container; else nil.
//
// Such a mount shows the file that existed when the container started. Editors,
// `authmin token` and secret managers replace a file by a rename, which does not
// reach the mount. A mount of the directory shows the new file.
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
