package trail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// fileMode is private: the trail contains identities and their requests.
const fileMode os.FileMode = 0o600

// CheckFile reports why a file could not be written. It creates nothing. A chained file
// must be regular, since its end is read again to continue the chain.
func CheckFile(path string, chained bool) error {
	if err := checkFile(path); err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && chained {
		return fmt.Errorf("%s is not a regular file, which a chain needs to continue after a restart", path)
	}
	return nil
}

func checkFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return checkDirectory(filepath.Dir(path))
	}
	if err != nil {
		return explainOpen(path, err)
	}
	defer f.Close()
	_, err = checkWritable(f)
	return err
}

func checkDirectory(dir string) error {
	const writeAndSearch = 0x2 | 0x1 // W_OK | X_OK of access(2)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no directory %s; create it, owned by the gateway's user with mode 0700", dir)
	}
	if err := syscall.Access(dir, writeAndSearch); err != nil {
		return fmt.Errorf("creating a file in %s: %w", dir, err)
	}
	return nil
}

func checkRegular(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", f.Name())
	}
	return nil
}

// checkWritable is [checkRegular] for a file that is written. It may be a device too,
// such as a terminal, or /dev/full in a test of a full disk; but not /dev/null, where
// a trail cannot be read again.
func checkWritable(f *os.File) (device bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if info.Mode()&os.ModeCharDevice == 0 {
		return false, checkRegular(f)
	}
	if null, err := os.Stat(os.DevNull); err != nil || os.SameFile(info, null) {
		return false, fmt.Errorf("%s is not a regular file: records written to it are lost", f.Name())
	}
	return true, nil
}

func explainOpen(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("%s is a symbolic link; name the file itself", path)
	case errors.Is(err, syscall.ENXIO):
		return fmt.Errorf("%s is not a regular file", path)
	}
	return err
}

// openFile opens the file for appending, sets its mode, and locks it. A symbolic link
// is not followed: who can write the directory could have any file appended to.
func openFile(path string) (*os.File, error) {
	const flags = os.O_RDWR | os.O_APPEND | os.O_CREATE | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_CLOEXEC
	f, err := os.OpenFile(path, flags, fileMode)
	if err != nil {
		return nil, explainOpen(path, err)
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func lockFile(f *os.File) error {
	if device, err := checkWritable(f); err != nil || device { // a device is shared, and its mode is not ours
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%s is written by another process; give each gateway a file of its own", f.Name())
	}
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() == fileMode {
		return err
	}
	return f.Chmod(fileMode)
}
