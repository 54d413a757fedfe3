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

// preflightDial bounds the look whether an engine's address answers: it is on this
// machine.
const preflightDial = 2 * time.Second

// preflight refuses what could never become ready, before anything starts: a program,
// a model's file or an address that is not there.
func preflight(ctx context.Context, o upOptions) error {
	switch o.engine {
	case "demo":
		return nil
	case "llamacpp":
		if err := readable("--model", o.model); err != nil {
			return err
		}
		return program(poolmanager.LlamaCPPTemplate(), "install llama.cpp (https://github.com/ggml-org/llama.cpp), or give the address of a server that runs already: --engine http://127.0.0.1:PORT")
	case "ollama":
		return program(poolmanager.OllamaTemplate(), "install Ollama (https://ollama.com/download), or give the address of one that runs already: --engine http://127.0.0.1:11434")
	}
	return answers(ctx, o.engine)
}

// readable checks a file that a flag names; no file is one that was not named.
func readable(flag, path string) error {
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

// program looks for what an engine's template starts.
func program(t poolmanager.Template, mend string) error {
	if _, err := exec.LookPath(t.Command[0]); err != nil {
		return fmt.Errorf("--engine %s: %s is not on the PATH; %s", t.Engine, t.Command[0], mend)
	}
	return nil
}

// checkEngineAddress refuses an address that cannot be an engine's.
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

// hostOf is the part of an address that may be shown: no user, path or query.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "HOST:PORT"
	}
	return u.Host
}

// answers reports whether a server listens at the engine's address.
func answers(ctx context.Context, text string) error {
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
