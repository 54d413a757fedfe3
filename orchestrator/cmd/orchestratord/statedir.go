package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/llorch/gateway/authmin/backend"
)

// checkStateDir refuses a state directory that a start could not make or write to. It
// makes nothing that stays: it tries with a directory of another name in the one that
// is there, or in the nearest above it.
func checkStateDir(dir string) error {
	if dir == "" {
		return nil // the state is in NATS
	}
	there, err := filepath.Abs(dir)
	if err != nil {
		return backend.KeyErrorf("state_dir", "%v", err)
	}
	for {
		info, err := os.Stat(there)
		switch {
		case err == nil && !info.IsDir():
			return backend.KeyErrorf("state_dir", "cannot be made: %s is not a directory", there)
		case err == nil:
			return tryDir(dir, there)
		case !errors.Is(err, fs.ErrNotExist):
			return backend.KeyErrorf("state_dir", "cannot be read: %v", err)
		}
		if _, err := os.Lstat(there); err == nil {
			return backend.KeyErrorf("state_dir", "cannot be made: %s is a link to nothing", there)
		}
		there = filepath.Dir(there)
	}
}

func tryDir(dir, there string) error {
	tried, err := os.MkdirTemp(there, ".orchestratord-check-")
	if err == nil {
		err = os.Remove(tried)
	}
	if err != nil {
		return backend.KeyErrorf("state_dir", "cannot be used: %s", fmt.Sprintf("making a directory in %s, for %s: %v", there, dir, errors.Unwrap(err)))
	}
	return nil
}
