package poolmanager

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/llorch/gateway/authmin/backend"
)

// checkRuntimeDir reports why openRuntimeDir would refuse a directory, for --check. It
// leaves no file behind.
func checkRuntimeDir(path string) error {
	if path == "" {
		return backend.KeyErrorf("runtime_dir", "not set: name a private directory")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return backend.KeyErrorf("runtime_dir", "%w", err)
	}
	for _, dir := range []string{path, filepath.Join(path, "keys"), filepath.Join(path, "processes")} {
		_, err := os.Lstat(dir)
		switch { // otherwise err says why it cannot be looked at
		case errors.Is(err, fs.ErrNotExist):
			err = mayMake(dir)
		case err == nil:
			if err = checkPrivate(dir); err == nil {
				err = mayWrite(dir)
			}
		}
		if err != nil {
			return backend.KeyErrorf("runtime_dir", "%w", err)
		}
	}
	return nil
}

// mayMake reports whether a directory that is not there could be made: what is there
// of its path is a directory of ours to write to.
func mayMake(path string) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		_, linked := os.Lstat(dir) // a link to nowhere is there
		switch {
		case errors.Is(err, fs.ErrNotExist) && linked != nil && dir != filepath.Dir(dir):
			continue
		case err != nil:
			return fmt.Errorf("%s cannot be made: %w", path, err)
		case !info.IsDir():
			return fmt.Errorf("%s cannot be made: %s is not a directory", path, dir)
		}
		if err := mayWrite(dir); err != nil {
			return fmt.Errorf("%s cannot be made: %w", path, err)
		}
		return nil
	}
}

// mayWrite makes and removes a file: permissions do not show read-only file systems, nor
// those in which no file can be made.
func mayWrite(dir string) error {
	probe, err := os.MkdirTemp(dir, ".check-*")
	if err != nil {
		return fmt.Errorf("%s cannot be written to: %w", dir, err)
	}
	return os.Remove(probe)
}
