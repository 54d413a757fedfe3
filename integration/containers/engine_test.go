//go:build containers

package containers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// commandLimit bounds each command of the engine, so that a test that hangs fails with
// its name.
const commandLimit = 2 * time.Minute

// The images of one run, removed at its end.
var image, stub = imageName("llorch"), imageName("ollamastub")

func imageName(name string) string { return fmt.Sprintf("%s:test-%d", name, os.Getpid()) }

func TestMain(m *testing.M) {
	code := func() int {
		if err := buildImages(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer run("", nil, "docker", "image", "rm", "--force", image, stub)
		return m.Run()
	}()
	os.Exit(code)
}

// buildImages makes the image as a user does it, and that of the stub.
func buildImages() error {
	root, err := gatewaytest.Root()
	if err != nil {
		return err
	}
	if _, err := run(root, nil, filepath.Join(root, "deploy", "containers", "build.sh"), image); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "stub")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := run(root, []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-o", filepath.Join(dir, "ollamastub"), "./integration/containers/ollamastub"); err != nil {
		return err
	}
	file := "FROM scratch\nCOPY ollamastub /ollamastub\nENTRYPOINT [\"/ollamastub\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(file), 0o600); err != nil {
		return err
	}
	_, err = run(dir, nil, "docker", "build", "-t", stub, ".")
	return err
}

// run returns what a command wrote to stdout; its error has both outputs.
func run(dir string, env []string, name string, args ...string) (string, error) {
	limit := commandLimit
	if strings.HasSuffix(name, "build.sh") || name == "go" {
		limit = 20 * time.Minute // a compiler that has everything to do
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, all bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), &out, &all
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, &out, &all)
	}
	return out.String(), nil
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run("", nil, "docker", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// composeCommand is Compose as a plugin of docker or as a program of its own.
var composeCommand = sync.OnceValues(func() ([]string, error) {
	for _, c := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if _, err := run("", nil, c[0], append(c[1:], "version")...); err == nil {
			return c, nil
		}
	}
	return nil, errors.New("there is neither docker compose nor docker-compose")
})

// A project is one compose file, copied to a directory of the test's own, with its
// containers, networks and volumes, which are removed at the end.
type project struct {
	t              *testing.T
	name, dir, net string
	files          []string
	env            []string
}

func newProject(t *testing.T, folder string, files ...string) *project {
	t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	if err := os.CopyFS(tree, os.DirFS(filepath.Join(root, "deploy"))); err != nil {
		t.Fatal(err)
	}
	p := &project{t: t, dir: filepath.Join(tree, "containers", folder), files: files, net: fmt.Sprintf("10.213.%d", rand.IntN(256))}
	p.name = fmt.Sprintf("llorchtest%d%s", os.Getpid(), strings.TrimSuffix(folder+files[0], ".yaml"))
	p.env = []string{"LLORCH_IMAGE=" + image, "OLLAMA_IMAGE=" + stub, "LLORCH_NET=" + p.net}
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := p.compose("logs", "--no-color", "--tail", "40")
			t.Log(logs)
		}
		if _, err := p.compose("down", "--volumes", "--remove-orphans", "--timeout", "1"); err != nil {
			t.Error(err)
		}
	})
	return p
}

// compose runs a command of Compose in the project, and returns its stdout.
func (p *project) compose(args ...string) (string, error) {
	command, err := composeCommand()
	if err != nil {
		return "", err
	}
	all := append(command[1:len(command):len(command)], "--project-name", p.name)
	for _, f := range p.files {
		all = append(all, "--file", f)
	}
	return run(p.dir, p.env, command[0], append(all, args...)...)
}

// must is compose where it has to succeed.
func (p *project) must(args ...string) string {
	p.t.Helper()
	out, err := p.compose(args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// container is the id of a service's container.
func (p *project) container(service string) string {
	p.t.Helper()
	return p.must("ps", "--all", "--quiet", service)
}

// token makes a token, as the heads of the compose files say.
func (p *project) token(name string, scopes ...string) string {
	p.t.Helper()
	args := append([]string{"run", "--rm", "-T", "token", "new", name}, scopes...)
	token := p.must(append(args, "--file", "/etc/llorch/keyring/tokens")...)
	if len(token) < 32 || strings.ContainsAny(token, " \n") {
		p.t.Fatalf("want a token alone on stdout, got %d bytes", len(token))
	}
	return token
}

// inspected is what the tests read of a container.
type inspected struct {
	Config     struct{ User string }
	HostConfig struct {
		ReadonlyRootfs bool
		CapDrop        []string
		SecurityOpt    []string
		Privileged     bool
		NetworkMode    string
	}
	State struct {
		Running   bool
		StartedAt string
		ExitCode  int
		Health    struct{ Status string }
	}
	NetworkSettings struct {
		Ports    map[string][]struct{ HostIp, HostPort string }
		Networks map[string]struct{ IPAddress string }
	}
}

func (p *project) inspect(service string) inspected {
	p.t.Helper()
	var all []inspected
	if err := json.Unmarshal([]byte(docker(p.t, "inspect", p.container(service))), &all); err != nil || len(all) != 1 {
		p.t.Fatalf("inspecting %s: %v, %d containers", service, err, len(all))
	}
	return all[0]
}
