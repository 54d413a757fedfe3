package poolmanager

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"
)

// dialLimit bounds the question whether somebody still answers at a socket.
const dialLimit = time.Second

// listen opens host:port or unix//path. A Unix socket is for this user only; a
// dead one that was left behind is replaced.
func listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix/")
	if !isUnix {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("opening the port: %w", err)
		}
		return listener, nil
	}
	if err := removeDeadSocket(path); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("making the socket private: %w", err)
	}
	return listener, nil
}

func removeDeadSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("opening the socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("opening the socket: %s is something else", path)
	}
	if connection, err := net.DialTimeout("unix", path, dialLimit); err == nil {
		connection.Close()
		return fmt.Errorf("opening the socket: somebody listens on %s already", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("replacing the socket: %w", err)
	}
	return nil
}
