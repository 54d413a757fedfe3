package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// deletedMark is what the kernel adds to the root of a mount whose file has been
// removed or replaced.
const deletedMark = "//deleted"

// staleMounts names the processes that have an earlier file of this path as a mount of
// its own, as containers mount a single file. They do not see its replacement. Only root
// sees processes of other users.
func staleMounts(proc, path string) []string {
	device, root, ok := onFileSystem(proc, path)
	if !ok {
		return nil
	}
	var found []string
	seen := map[string]bool{}
	dirs, _ := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	for _, dir := range dirs[:min(len(dirs), maxProcesses)] {
		namespace, err := os.Readlink(filepath.Join(dir, "ns", "mnt"))
		if err != nil || seen[namespace] {
			continue
		}
		seen[namespace] = true
		for _, m := range mountsOf(dir) {
			if m.Device == device && m.Root == root+deletedMark {
				found = append(found, fmt.Sprintf("process %s at %s", filepath.Base(dir), m.Point))
			}
		}
	}
	return found
}

// onFileSystem finds the file system of a path, and the path inside it.
func onFileSystem(proc, path string) (device, root string, ok bool) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", "", false
	}
	best := authmin.Mount{}
	for _, m := range mountsOf(filepath.Join(proc, "self")) {
		if pathBelow(real, m.Point) && len(m.Point) >= len(best.Point) {
			best = m
		}
	}
	if best.Point == "" {
		return "", "", false
	}
	rest := strings.TrimPrefix(real, strings.TrimSuffix(best.Point, "/"))
	return best.Device, filepath.Join(best.Root, rest), true
}

// pathBelow reports whether a path is a directory or below it.
func pathBelow(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

func mountsOf(process string) []authmin.Mount {
	table, err := os.Open(filepath.Join(process, "mountinfo"))
	if err != nil {
		return nil
	}
	defer table.Close()
	mounts, _ := authmin.ParseMounts(table)
	return mounts
}
