package ownfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrUnsafe says that another user could have written or replaced the file.
var ErrUnsafe = errors.New("unsafe ownership or permissions")

// CheckInfo refuses what belongs to another user or may be written by one.
func CheckInfo(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || int(stat.Uid) != os.Getuid():
		return fmt.Errorf("%w: it belongs to another user", ErrUnsafe)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%w: its mode is %v; run chmod go-w", ErrUnsafe, info.Mode().Perm())
	}
	return nil
}

// CheckAncestors refuses a path of which another user could replace a parent
// directory, as sshd does: each parent belongs to this user or to root, and is not
// writable for others, unless it has the sticky bit, like /tmp.
func CheckAncestors(path string) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return fmt.Errorf("looking at %s: %w", dir, err)
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok || int(stat.Uid) != os.Getuid() && stat.Uid != 0:
			return fmt.Errorf("%w: %s belongs to another user", ErrUnsafe, dir)
		case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
			return fmt.Errorf("%w: %s may be written by others; run chmod go-w", ErrUnsafe, dir)
		case dir == filepath.Dir(dir):
			return nil
		}
	}
}
