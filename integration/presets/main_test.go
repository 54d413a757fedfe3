// Package presets_test holds what stands under deploy/ to what it promises: each
// preset to a recorded list of its server's routes, the presets of our own two
// servers to Caddyfile.example and to what `llorch up` runs, and the units of
// systemd to their hardening. It does not test how a guard decides; that has
// tests of its own beside it.
//
// A recorded list (testdata/routes) is facts about one version of a server. To
// record a newer one, read that version's sources, write the version down, and
// give each new route a class: denied, until a user needs it.
package presets_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }

// inRoot is the path of a file of the repository.
func inRoot(t *testing.T, name string) string {
	t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, filepath.FromSlash(name))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// presetNames are the files of deploy/presets, without the extension.
func presetNames(t *testing.T) []string {
	t.Helper()
	const least = 7 // one for each server that the README of deploy/ names
	files, err := filepath.Glob(inRoot(t, "deploy/presets/*.caddyfile"))
	if err != nil || len(files) < least {
		t.Fatalf("%d presets, want at least %d (%v)", len(files), least, err)
	}
	var names []string
	for _, file := range files {
		base := filepath.Base(file)
		names = append(names, base[:len(base)-len(filepath.Ext(base))])
	}
	return names
}
