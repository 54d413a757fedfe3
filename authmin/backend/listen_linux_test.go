package backend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestListenReplacesOnlyAStaleSocket needs Linux: a full backlog answers otherwise on
// other systems.
func TestListenReplacesOnlyAStaleSocket(t *testing.T) {
	live := func(t *testing.T, path string) {
		ln, err := Listen("unix/" + path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
	}
	cases := map[string]struct {
		before func(*testing.T, string)
		want   string // a part of the error; "" for none
	}{
		"nothing":                  {func(*testing.T, string) {}, ""},
		"a stale socket":           {staleSocket, ""},
		"a live socket":            {live, "is in use by another process"},
		"one with a full backlog":  {busySocket, "may be in use by another process"},
		"a file":                   {func(_ *testing.T, path string) { _ = os.WriteFile(path, []byte("x"), 0o600) }, "is not a socket"},
		"a link to a stale socket": {func(t *testing.T, path string) { staleSocket(t, path+"2"); _ = os.Symlink(path+"2", path) }, "is not a socket"},
		"a directory":              {func(_ *testing.T, path string) { _ = os.Mkdir(path, 0o700) }, "is not a socket"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			c.before(t, path)
			before, _ := os.Lstat(path)
			ln, err := Listen("unix/" + path)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				ln.Close()
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("what was there was replaced: %v", err)
			}
		})
	}
}

// TestASocketIsPrivateFromItsFirstMoment looks at it before the mode is set again.
// Only Linux makes the file with the mode of the socket.
func TestASocketIsPrivateFromItsFirstMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := listenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("got %v, %v, want %o", info.Mode(), err, socketMode)
	}
}
