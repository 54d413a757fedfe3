package backend

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestListenServesAnAddressAndASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for _, address := range []string{"127.0.0.1:0", "unix/" + path} {
		ln, err := Listen(address)
		if err != nil {
			t.Fatal(err)
		}
		if conn, err := net.Dial(ln.Addr().Network(), ln.Addr().String()); err != nil {
			t.Errorf("%s: %v", address, err)
		} else {
			conn.Close()
		}
		if info, err := os.Stat(path); address != "127.0.0.1:0" && (err != nil || info.Mode().Perm() != 0o600) {
			t.Errorf("the socket's mode: %v, %v", info, err)
		}
		ln.Close()
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there after the listener was closed")
	}
}

// staleSocket is the socket of a process that has ended.
func staleSocket(t *testing.T, path string) {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
}

// busySocket is the socket of a process that runs and accepts nothing: its backlog
// is full.
func busySocket(t *testing.T, path string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
}

func TestListenReplacesOnlyAStaleSocket(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a full backlog answers otherwise on other systems")
	}
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
func TestASocketIsPrivateFromItsFirstMoment(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux makes the file with the mode of the socket")
	}
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
