//go:build rolling

package rolling_test

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// oldCommit is the last commit without native calls; .ci/run reads it here.
const oldCommit = "19a042cc7ae6644da050c0b514e1f14420ead9c8"

// release is the two daemons, of one version.
type release struct {
	name                        string
	orchestratord, poolmanagerd string
	native                      bool // it has native calls
}

// releases are the older version, which is built from the repository's history, and
// this one.
func releases(t *testing.T) (older, newer *release) {
	t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("git", "archive", "--format=zip", oldCommit)
	cmd.Dir = root
	archive, err := cmd.Output()
	if err != nil {
		t.Fatalf("reading commit %s: %v", oldCommit, err)
	}
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	programs := t.TempDir()
	build := exec.Command("go", "build", "-ldflags=-w", "-o", programs+"/", "./orchestrator/cmd/orchestratord", "./poolmanager/cmd/poolmanagerd")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building commit %s: %v\n%s", oldCommit, err, out)
	}
	at := func(name string) string { return filepath.Join(programs, name) }
	older = &release{name: "old", orchestratord: at("orchestratord"), poolmanagerd: at("poolmanagerd")}
	newer = &release{
		name: "new", orchestratord: gatewaytest.Program(t, "orchestratord"), poolmanagerd: gatewaytest.Program(t, "poolmanagerd"), native: true,
	}
	return older, newer
}
