package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// programs are the packages of the programs.
var programs = []string{"./caddymodule/cmd/llorch", "./orchestrator/cmd/orchestratord", "./poolmanager/cmd/poolmanagerd"}

// platform is an operating system and an architecture, as Go names them.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// build is the programs for one platform.
type build struct {
	platform
	source  string // a clone
	dir     string // where the programs are
	cache   string // the build cache; "": that of the machine
	version string
	time    time.Time // of the commit
	modules []module
}

// clone makes a clone of the repository's HEAD: Go finds the version in one, and not in a
// work tree that git links to another place.
func clone(ctx context.Context, root, to string) error {
	head, err := command(ctx, root, nil, "git", "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	root, err = filepath.Abs(root)
	if err != nil {
		return err
	}
	if _, err := command(ctx, root, nil, "git", "clone", "--quiet", "--no-checkout", root, to); err != nil {
		return err
	}
	_, err = command(ctx, to, nil, "git", "checkout", "--quiet", "--detach", strings.TrimSpace(string(head)))
	return err
}

// environment is that of Go commands: nothing of the machine's that changes a build.
func (b *build) environment() []string {
	env := append(os.Environ(), "GOOS="+b.os, "GOARCH="+b.arch, "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off",
		"GOAMD64=v1", "GOARM64=v8.0")
	if b.cache != "" {
		env = append(env, "GOCACHE="+b.cache)
	}
	return env
}

// compile builds the programs. Static, and without paths and a build id of this machine.
func (b *build) compile(ctx context.Context) error {
	args := append([]string{"build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w -buildid=", "-o", b.dir + string(filepath.Separator)}, programs...)
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	_, err := command(ctx, b.source, b.environment(), "go", args...)
	return err
}

// inspect reads what Go has recorded in the programs, and looks up what is linked.
func (b *build) inspect(ctx context.Context) error {
	linked := map[string]bool{}
	for _, name := range programs {
		info, err := buildinfo.ReadFile(filepath.Join(b.dir, b.executable(name)))
		if err != nil {
			return fmt.Errorf("reading what %s was built from: %w", name, err)
		}
		b.version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				if b.time, err = time.Parse(time.RFC3339, s.Value); err != nil {
					return err
				}
			}
		}
		for _, dep := range info.Deps {
			linked[dep.Path] = true
		}
	}
	if b.time.IsZero() || b.version == "" || b.version == "(devel)" {
		return fmt.Errorf("%s: Go has recorded no commit in the programs; is git installed?", b.platform)
	}
	var err error
	b.modules, err = b.linkedModules(ctx, linked)
	return err
}

// executable is the file of a program.
func (b *build) executable(program string) string {
	if b.os == "windows" {
		return filepath.Base(program) + ".exe"
	}
	return filepath.Base(program)
}

// command runs a command, and returns what it prints. An error has its last words.
func command(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	var out, errors bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &out, &errors
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(errors.String())
		return nil, fmt.Errorf("%s %s: %w: %s", name, args[0], err, text[max(0, len(text)-2000):])
	}
	return out.Bytes(), nil
}
