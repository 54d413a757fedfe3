// Package gatewaytest builds the programs and runs them as processes, for
// the tests under integration and for nothing else: no other package may
// import it (see layers_test.go at the root).
//
// A test package uses it like this:
//
//	func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }
//
//	func TestHealth(t *testing.T) {
//		p := gatewaytest.Start(t, nil, "run", "--config", file)
//		testkit.Within(t, 10*time.Second, "health", func() error { … })
//	}
package gatewaytest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// folder holds the program under test; Run makes and removes it.
var folder string

// Run runs the tests with a temporary folder for the program that Binary
// builds, and returns their exit code. Called by the name of curl or of another
// stand-in, it is that program.
func Run(m *testing.M) int {
	if standIn, ok := standIns[filepath.Base(os.Args[0])]; ok {
		return standIn(os.Args[1:])
	}
	dir, err := os.MkdirTemp("", "llorch-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a folder for the program:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	folder = dir
	return m.Run()
}

// Binary is the path of llorch, built when it is first asked for.
func Binary(t testing.TB) string {
	t.Helper()
	return Program(t, "llorch")
}

// sources are the programs of this repository, by name.
var sources = map[string]string{
	"llorch":        "./caddymodule/cmd/llorch",
	"orchestratord": "./orchestrator/cmd/orchestratord",
	"poolmanagerd":  "./poolmanager/cmd/poolmanagerd",
}

// Program is the path of one of the programs, built when it is first asked for.
func Program(t testing.TB, name string) string {
	t.Helper()
	source, ok := sources[name]
	if !ok {
		t.Fatalf("there is no program %q", name)
	}
	once, _ := builds.LoadOrStore(name, sync.OnceValues(func() (string, error) { return build(name, source) }))
	path, err := once.(func() (string, error))()
	if err != nil {
		t.Fatalf("building %s: %v", name, err)
	}
	return path
}

var builds sync.Map // by name: func() (string, error)

func build(name, source string) (string, error) {
	if folder == "" {
		return "", errors.New("TestMain must call gatewaytest.Run")
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, name)
	return path, BuildAt(root, source, path)
}

// BuildAt builds the program of a package, named as on the command line of go in the
// folder root, and puts it at path. More arguments are go's.
//
// go build links a program again for each path. What go run links stays in the build
// cache, and -exec hands it on: the second package that wants it takes a copy of the
// file, which costs a sixth of the processor time.
func BuildAt(root, source, path string, args ...string) error {
	// -w leaves out the debugger's tables: half of the link time.
	cmd := exec.Command("go", slices.Concat([]string{"run", "-ldflags=-w", "-exec=cp"}, args, []string{source, path})...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// Root is the folder of go.mod, found upwards from the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the module: no go.mod above the working directory")
		}
		dir = parent
	}
}
