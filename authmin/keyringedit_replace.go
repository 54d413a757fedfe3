package authmin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// replaceKeyring replaces the file with one rename. The new file has the mode and
// owner of the old one, since the gateway may run as another user than the
// operator.
func replaceKeyring(path string, content []byte) (err error) {
	if mounted, err := IsMountPoint(path); err == nil && mounted {
		return errMounted(path)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing keyring: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = inherit(f, path)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing keyring: %w", err)
	}
	if err = os.Rename(f.Name(), path); errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
		return errMounted(path)
	}
	if err != nil {
		return fmt.Errorf("writing keyring: %w", err)
	}
	return syncDir(dir)
}

// errMounted is the error for a file that is mounted by itself.
func errMounted(path string) error {
	return fmt.Errorf("writing keyring: %s is a single file mounted by itself and cannot be replaced inside the container: change it on the host, and mount its directory instead of the file: %w",
		path, syscall.EBUSY)
}

// inherit gives f the owner and mode of the file at path. If the owner cannot be
// set the edit fails, since the gateway could not read the new file.
func inherit(f *os.File, path string) error {
	old, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	was, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if now, ok := info.Sys().(*syscall.Stat_t); ok && (now.Uid != was.Uid || now.Gid != was.Gid) {
		if err := f.Chown(int(was.Uid), int(was.Gid)); err != nil {
			return fmt.Errorf("%s belongs to user %d and group %d; run this as that user, or as root: %w", path, was.Uid, was.Gid, err)
		}
	}
	return f.Chmod(old.Mode().Perm())
}
