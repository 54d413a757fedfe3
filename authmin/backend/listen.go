package backend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	// socketMode keeps other users from connecting to a Unix socket.
	socketMode = 0o600
	// dialLimit bounds the attempt to connect to an existing socket.
	dialLimit = time.Second
)

// Listen opens an address in the form of [authmin.CheckListen]: host:port (port 0
// takes a free one) or unix//path. Only this user may connect to a Unix socket. A
// socket whose process has ended is replaced; one that a process serves, and a file
// of another kind, is an error. Closing the listener removes the socket.
func Listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix/")
	if !isUnix {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("opening the port: %w", err)
		}
		return ln, nil
	}
	if err := removeStaleSocket(path); err != nil {
		return nil, fmt.Errorf("opening the socket: %w", err)
	}
	ln, err := listenUnix(path)
	if err != nil {
		return nil, fmt.Errorf("opening the socket: %w", err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(fmt.Errorf("restricting the socket to this user: %w", err), ln.Close())
	}
	return ln, nil
}

// listenUnix sets the mode before bind creates the file: on Linux the socket is
// private from its first moment. Other systems ignore it, hence the chmod above.
func listenUnix(path string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), socketMode) })
	}}
	return config.Listen(context.Background(), "unix", path)
}

// removeStaleSocket removes a socket that refuses connections: its process has
// ended. Any other answer (a full backlog, a timeout) may come from one that runs.
func removeStaleSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	conn, err := net.DialTimeout("unix", path, dialLimit)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("%s is in use by another process", path)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s may be in use by another process: %w", path, err)
	}
	return os.Remove(path)
}
