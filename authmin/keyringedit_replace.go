package authmin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// replaceKeyring puts content into place with one rename. An existing file hands
// its mode and owner on: a gateway that runs as another user than the operator
// must be able to read the new one.
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

// errMounted explains why a file cannot be replaced.
func errMounted(path string) error {
	return fmt.Errorf("writing keyring: %s is a single file mounted by itself, which cannot be replaced from inside: change it where it is mounted from, and mount its directory in place of the file: %w",
		path, syscall.EBUSY)
}

// inherit gives f the owner and mode of the file at path. Without the right to
// change the owner nothing is replaced: the gateway would lose its keyring.
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
