package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"time"

	"github.com/llorch/gateway/poolmanager"
)

// preflightDial bounds the connection attempt to an engine's address, which is on
// this machine.
const preflightDial = 2 * time.Second

// preflight runs before anything starts, and refuses a configuration that could never
// become ready: a missing program, a missing model file, an address without a server.
func preflight(ctx context.Context, o upOptions) error {
	switch o.engine {
	case "demo":
		return nil
	case "llamacpp":
		if err := checkReadable("--model", o.model); err != nil {
			return err
		}
		return checkProgram(poolmanager.LlamaCPPTemplate(), "install llama.cpp (https://github.com/ggml-org/llama.cpp), or give the address of a server that runs already: --engine http://127.0.0.1:PORT")
	case "ollama":
		return checkProgram(poolmanager.OllamaTemplate(), "install Ollama (https://ollama.com/download), or give the address of one that runs already: --engine http://127.0.0.1:11434")
	}
	return checkReachable(ctx, o.engine)
}

// checkReadable checks the file that a flag names. An empty path is accepted: the flag
// was not given.
func checkReadable(flag, path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s %s: there is no such file", flag, path)
	case err != nil:
		return fmt.Errorf("%s: %w", flag, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s %s: it is not a regular file", flag, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	return file.Close()
}

// checkProgram checks that the program of an engine's template is on the PATH.
func checkProgram(t poolmanager.Template, fix string) error {
	if _, err := exec.LookPath(t.Command[0]); err != nil {
		return fmt.Errorf("--engine %s: %s is not on the PATH; %s", t.Engine, t.Command[0], fix)
	}
	return nil
}

// checkEngineAddress refuses an address that the pool manager does not accept for an
// engine.
func checkEngineAddress(text string) error {
	if err := poolmanager.URLTemplate(text).Validate(); err != nil {
		inner := errors.Unwrap(err)
		if inner == nil {
			inner = err
		}
		return fmt.Errorf("--engine %s: %w", (&url.URL{Scheme: "http", Host: hostOf(text)}).String(), inner)
	}
	return nil
}

// hostOf returns the host and port of an address. The rest is not shown, since it may
// contain a credential.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "HOST:PORT"
	}
	return u.Host
}

// checkReachable connects to the engine's address, and closes the connection.
func checkReachable(ctx context.Context, text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("--engine: want http://127.0.0.1:PORT")
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	dialer := net.Dialer{Timeout: preflightDial}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fmt.Errorf("--engine %s: no server answers there (%w); start it first, or give the address at which it listens", text, err)
	}
	return conn.Close()
}
