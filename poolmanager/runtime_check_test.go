package poolmanager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckRefusesARuntimeDirectoryThatCannotBeMadeAndLeavesNothingBehind(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, mode := range map[string]os.FileMode{"open": 0o777, "spoiled": 0o700, "there": 0o700} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(root, dir), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "spoiled", "keys"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nowhere/at/all", filepath.Join(root, "dangling")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                     "not set",
		file:                   "not a directory",
		file + "/run":          "not a directory",
		file + "/a/b/run":      "not a directory",
		root + "/open":         "others may write",
		root + "/spoiled":      "not a directory",
		root + "/dangling":     "not a directory",
		root + "/dangling/run": "cannot be made",
		"/proc/run":            "cannot be made",
		"/dev/null/run":        "not a directory",
		root + "/there":        "ok",
		root + "/new":          "ok",
		root + "/a/b/c":        "ok",
	} {
		o := demoOptions(t)
		o.RuntimeDir = path
		err := o.Check()
		switch {
		case want == "ok" && err != nil:
			t.Errorf("%s: got %v, want it taken", path, err)
		case want != "ok" && (err == nil || !strings.HasPrefix(err.Error(), "runtime_dir: ") || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want a refusal with %q", path, err, want)
		}
	}
	for _, made := range []string{"new", "a"} {
		if _, err := os.Lstat(filepath.Join(root, made)); err == nil {
			t.Errorf("%s was made", made)
		}
	}
	if left, err := os.ReadDir(filepath.Join(root, "there")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
