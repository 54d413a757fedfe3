package backend

import (
	"net"
	"os"
	"path/filepath"
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
