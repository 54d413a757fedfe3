package caddymodule

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// Each testdata/adapt/*.caddyfile shows a piece of the grammar, and the .json
// beside it what Caddy is told.
func TestTheGrammarAdapts(t *testing.T) {
	for _, file := range caddyfiles(t, "testdata/adapt") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			config, err := adapt(filepath.Base(file), readFile(t, file))
			if err != nil {
				t.Fatal(err)
			}
			expectNoToken(t, string(config))
			testkit.Golden(t, strings.TrimSuffix(file, ".caddyfile")+".json", indent(t, config))
		})
	}
}

var fileAndLine = regexp.MustCompile(`, at \S+\.caddyfile:\d+`)

// Each testdata/refused/*.caddyfile holds one mistake. What the operator reads is
// in the .txt beside it: where the mistake is, and never a token, although many
// of the files hold one.
func TestMistakesAreRefusedAtTheirLine(t *testing.T) {
	t.Setenv("TEST_PLAIN", "canary-plain-0123456789abcdefghijklmnop")
	for _, file := range caddyfiles(t, "testdata/refused") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := adapt(filepath.Base(file), readFile(t, file))
			if err == nil {
				t.Fatal("accepted")
			}
			if !fileAndLine.MatchString(err.Error()) {
				t.Errorf("no file and line in %q", err)
			}
			expectNoToken(t, err.Error())
			testkit.Golden(t, strings.TrimSuffix(file, ".caddyfile")+".txt", []byte(err.Error()+"\n"))
		})
	}
}

func caddyfiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.caddyfile"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s (%v)", dir, err)
	}
	return files
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
