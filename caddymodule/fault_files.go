package caddymodule

import (
	"os"
	"path/filepath"
)

// Mode bits that open a file to every user of the machine.
const (
	otherRead  os.FileMode = 0o004
	otherWrite os.FileMode = 0o002
	otherEnter os.FileMode = 0o001
)

// InPrivateTree reports whether other users cannot enter some directory above path.
// Container platforms mount secrets as world-readable files in such a directory.
func InPrivateTree(path string) bool {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	for err == nil && dir != filepath.Dir(dir) {
		info, statErr := os.Stat(dir)
		if statErr == nil && info.Mode().Perm()&otherEnter == 0 {
			return true
		}
		dir = filepath.Dir(dir)
	}
	return false
}
