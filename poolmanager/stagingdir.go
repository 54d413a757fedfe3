package poolmanager

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxSidecarBytes bounds the small files beside the models.
const maxSidecarBytes = 32 << 10

func (s *stager) stagingDir() string          { return filepath.Join(s.root, ".staging") }
func (s *stager) finalPath(hex string) string { return filepath.Join(s.root, "sha256-"+hex) }
func (s *stager) partPath(hex string) string {
	return filepath.Join(s.stagingDir(), "sha256-"+hex+".part")
}
func (s *stager) sidecarPath(hex string) string {
	return filepath.Join(s.stagingDir(), "sha256-"+hex+".json")
}
func (s *stager) verifiedPath(hex string) string {
	return filepath.Join(s.stagingDir(), "sha256-"+hex+".ok")
}

// prepare makes the directory for what is not ready, which only we may use, in a
// model root that nobody else may change or replace: they could put another file
// in place.
func (s *stager) prepare() error {
	if err := checkOwned(s.root); err != nil {
		return err
	}
	if err := checkAncestors(s.root); err != nil {
		return fmt.Errorf("%w: %w", errStaging, err)
	}
	if err := os.Mkdir(s.stagingDir(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", errStaging, err)
	}
	return checkOwned(s.stagingDir())
}

// checkOwned refuses a directory that others may write to.
func checkOwned(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", errStaging, err)
	}
	if info.Mode()&fs.ModeSymlink != 0 && filepath.Base(dir) != ".staging" {
		if info, err = os.Stat(dir); err != nil { // the operator may link the root itself
			return fmt.Errorf("%w: %w", errStaging, err)
		}
	}
	switch stat, ok := info.Sys().(*syscall.Stat_t); {
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory", errStaging, dir)
	case !ok || int(stat.Uid) != os.Getuid() && stat.Uid != 0:
		return fmt.Errorf("%w: %s belongs to another user", errStaging, dir)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%w: others may write to %s; run chmod go-w", errStaging, dir)
	}
	return nil
}

// checkOwnFile refuses anything but a regular file of ours that has one name and
// that nobody else may write to.
func checkOwnFile(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", errStaging, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || !ok || int(stat.Uid) != os.Getuid() || stat.Nlink > 1 || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%w: %s is not a plain file of this user with one name, written by nobody else; remove it", errStaging, file.Name())
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
		return fmt.Errorf("%w: %w", errStaging, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("%w: %w", errStaging, err)
	}
	return nil
}

// writeJSON replaces a small file of ours in one step.
func writeJSON(path string, v any) error {
	encoded, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", errStaging, err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("%w: %w", errStaging, err)
	}
	_, err = file.Write(encoded)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("%w: %w", errStaging, err)
	}
	return nil
}

func readJSON(path string, into any) error {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := checkOwnFile(file); err != nil {
		return err
	}
	return json.NewDecoder(io.LimitReader(file, maxSidecarBytes)).Decode(into)
}
