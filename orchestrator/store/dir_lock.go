package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// minFreeBytes is the free disk space below which no new work is accepted: JetStream's
// streams stay dead after a failed write, so there must be none. It
// covers the block files (8 MiB each) that may be open at once.
const minFreeBytes = 128 << 20

// ErrDiskFull is returned when the file system of the directory is full.
var ErrDiskFull = errors.New("file system of the state directory is full")

// lockDir takes the directory for this process: JetStream itself takes no lock,
// and two servers on one directory destroy it.
func lockDir(dir string) (unlock func() error, err error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w", dir, ErrLocked)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f.Close, nil // closing releases the lock, and so does kill -9
}

// freeBytes is what an ordinary user may still write to the file system of dir.
func freeBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	err := syscall.Statfs(dir, &st)
	return st.Bavail * uint64(st.Bsize), err
}

// CheckSpace checks that the disk has space for new work, and that a full one has not
// stopped the writing; ErrDiskFull if not.
func (s *Store) CheckSpace() error {
	if s.stopped.Load() {
		return fmt.Errorf("%s: %w", s.dir, errStopped)
	}
	return s.checkFree()
}

func (s *Store) checkFree() error {
	if s.dir == "" { // the disks are those of an existing cluster
		return nil
	}
	free, err := s.free(s.dir)
	if err != nil {
		return fmt.Errorf("checking free disk space: %w", err)
	}
	if free < minFreeBytes {
		return fmt.Errorf("%s: %d MiB free, %d needed: %w", s.dir, free>>20, int64(minFreeBytes)>>20, ErrDiskFull)
	}
	return nil
}
