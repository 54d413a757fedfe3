package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
)

// sources are the programs, by name.
var sources = map[string]string{
	"llorch":        "./caddymodule/cmd/llorch",
	"orchestratord": "./orchestrator/cmd/orchestratord",
	"poolmanagerd":  "./poolmanager/cmd/poolmanagerd",
}

// build compiles the programs into a folder.
func build(ctx context.Context, dir string) error {
	top, err := root()
	if err != nil {
		return err
	}
	for name, source := range sources {
		cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-w", "-o", filepath.Join(dir, name), source)
		cmd.Dir = top
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", name, err, said)
		}
	}
	return nil
}

// root is the folder of go.mod, found upwards from the working directory.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("finding go.mod: run this in a checkout of the repository")
		}
		dir = up
	}
}

// Ports that Linux does not give to outgoing connections (ip_local_port_range), so that
// none is taken while a process that was killed is away.
const (
	firstPort, lastPort = 10_000, 31_999
	portAttempts        = 100
)

var givenPorts sync.Map // by port: true

// freeAddress is an address of the host that has no listener and was not given before.
func freeAddress(host string) (string, error) {
	var last error
	for range portAttempts {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}
		return l.Addr().String(), l.Close()
	}
	return "", fmt.Errorf("finding a free port on %s: %d attempts: %w", host, portAttempts, last)
}
