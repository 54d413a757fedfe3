package budget

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// The files in the directory of a ledger. The lock is a file of its own, since the journal
// is replaced; it is never removed, so that two processes cannot hold two locks.
const (
	journalName = "budgets.journal"
	lockName    = "budgets.lock"
	nextSuffix  = ".new" // of a journal that is being written
)

// fileMode is private: the file names identities.
const fileMode os.FileMode = 0o600

// journal is the open file of a ledger.
type journal struct {
	path string
	lock *os.File
	f    *os.File
	size int64 // where the last whole write ended
	torn bool  // a part of a failed write could not be removed

	sync func(*os.File) error // replaced by tests
}

// CheckDirectory reports why a ledger could not keep its files there. It creates nothing.
func CheckDirectory(dir string) error { return checkDirectory(dir, os.Geteuid()) }

// checkDirectory is CheckDirectory for a process of a user.
func checkDirectory(dir string, uid int) error {
	const writeAndSearch = 0x2 | 0x1 // W_OK | X_OK of access(2)
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return fmt.Errorf("there is no directory %s; create it, owned by the gateway's user with mode 0700", dir)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; int64(owner) != int64(uid) {
		return fmt.Errorf("%s is owned by uid %d, who can replace its files, and this process runs as uid %d; run this as the gateway's user, and make that the owner", dir, owner, uid)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("other users can write to %s; make its mode 0700", dir)
	}
	if err := syscall.Access(dir, writeAndSearch); err != nil {
		return fmt.Errorf("creating a file in %s: %w", dir, err)
	}
	return nil
}

const openFlags = os.O_RDWR | os.O_CREATE | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_CLOEXEC

// openPrivate opens a regular file that no link leads to, and makes its mode private.
func openPrivate(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, openFlags|flags, fileMode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err == nil && info.Mode().Perm() != fileMode {
		err = f.Chmod(fileMode)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// openJournal locks the directory, and opens its journal. The caller reads it before the
// first append.
func openJournal(dir string) (*journal, error) {
	if err := CheckDirectory(dir); err != nil {
		return nil, err
	}
	lock, err := openPrivate(filepath.Join(dir, lockName), 0)
	if err != nil {
		return nil, fmt.Errorf("locking budgets: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the budgets in %s are counted by another process; give each gateway a directory of its own", dir)
		}
		return nil, fmt.Errorf("locking budgets: %w", err)
	}
	j := &journal{path: filepath.Join(dir, journalName), lock: lock, sync: (*os.File).Sync}
	if j.f, err = openPrivate(j.path, os.O_APPEND); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("opening the journal of budgets: %w", err)
	}
	return j, nil
}

// append writes lines, all of them or none.
func (j *journal) append(lines []byte) error {
	if j.torn {
		if err := j.f.Truncate(j.size); err != nil {
			return fmt.Errorf("writing budgets: %w", err)
		}
		j.torn = false
	}
	n, err := j.f.Write(lines)
	if err != nil {
		j.torn = n > 0
		return fmt.Errorf("writing budgets: %w", err)
	}
	j.size += int64(n)
	return nil
}

// isInPlace reports whether the path still leads to the open file.
func (j *journal) isInPlace() bool {
	named, err := os.Lstat(j.path)
	if err != nil {
		return false
	}
	own, err := j.f.Stat()
	return err == nil && os.SameFile(named, own) && own.Size() >= j.size
}

// prepare writes and syncs a file that is to take the place of the journal.
func (j *journal) prepare(lines []byte) (*os.File, error) {
	f, err := openPrivate(j.path+nextSuffix, os.O_APPEND|os.O_TRUNC)
	if err != nil {
		return nil, fmt.Errorf("replacing the journal of budgets: %w", err)
	}
	if _, err = f.Write(lines); err == nil {
		err = j.sync(f)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("replacing the journal of budgets: %w", err)
	}
	return f, nil
}

// take appends lines to a prepared file, and puts it in the place of the journal, or closes
// it. The lines are not synced.
func (j *journal) take(next *os.File, lines []byte) error {
	_, err := next.Write(lines)
	var info os.FileInfo
	if err == nil {
		info, err = next.Stat()
	}
	if err == nil {
		err = os.Rename(j.path+nextSuffix, j.path)
	}
	if err != nil {
		_ = next.Close()
		return fmt.Errorf("replacing the journal of budgets: %w", err)
	}
	_ = j.f.Close()
	j.f, j.size, j.torn = next, info.Size(), false
	return nil
}

// syncDirectory makes a rename durable.
func (j *journal) syncDirectory() error {
	d, err := os.Open(filepath.Dir(j.path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// close closes the file, and gives up the lock.
func (j *journal) close() error {
	return errors.Join(j.sync(j.f), j.f.Close(), j.lock.Close())
}
