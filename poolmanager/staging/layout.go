package staging

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/llorch/gateway/poolmanager/ownfile"
)

func (s *Stager) stagingDir() string          { return filepath.Join(s.Root, ".staging") }
func (s *Stager) finalPath(hex string) string { return filepath.Join(s.Root, "sha256-"+hex) }
func (s *Stager) partialPath(hex string) string {
	return filepath.Join(s.stagingDir(), "sha256-"+hex+".part")
}
func (s *Stager) sidecarPath(hex string) string {
	return filepath.Join(s.stagingDir(), "sha256-"+hex+".json")
}
func (s *Stager) verifiedPath(hex string) string {
	return filepath.Join(s.stagingDir(), "sha256-"+hex+".ok")
}

// prepare makes the directory of partial files, private to this user, in a model root
// that no other user may change or replace.
func (s *Stager) prepare() error {
	if err := checkOwned(s.Root); err != nil {
		return err
	}
	if err := ownfile.CheckAncestors(s.Root); err != nil {
		return fmt.Errorf("%w: %w", ErrStaging, err)
	}
	if err := os.Mkdir(s.stagingDir(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", ErrStaging, err)
	}
	return checkOwned(s.stagingDir())
}

// checkOwned refuses a directory that others may write to.
func checkOwned(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStaging, err)
	}
	if info.Mode()&fs.ModeSymlink != 0 && filepath.Base(dir) != ".staging" {
		if info, err = os.Stat(dir); err != nil { // the operator may link the root itself
			return fmt.Errorf("%w: %w", ErrStaging, err)
		}
	}
	switch stat, ok := info.Sys().(*syscall.Stat_t); {
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory", ErrStaging, dir)
	case !ok || int(stat.Uid) != os.Getuid() && stat.Uid != 0:
		return fmt.Errorf("%w: %s belongs to another user", ErrStaging, dir)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%w: others may write to %s; run chmod go-w", ErrStaging, dir)
	}
	return nil
}

// checkOwnFile refuses anything but a regular file of this user with one hard link
// that others may not write to.
func checkOwnFile(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStaging, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || !ok || int(stat.Uid) != os.Getuid() || stat.Nlink > 1 || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%w: %s is not a regular file of this user with one hard link and mode go-w; remove it", ErrStaging, file.Name())
	}
	return nil
}

func stillThere(file *os.File, path string) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, named)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStaging, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrStaging, err)
	}
	return nil
}

func sizeOf(path string) int64 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
