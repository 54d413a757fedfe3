package cli

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// Each file of testdata/lint is an arrangement of guards and of what they
// should guard. What lint says of it is in the .txt beside it: the lines to read
// when lint changes.
func TestLintGolden(t *testing.T) {
	for _, name := range []string{"BACKEND", "MY_API_KEY", "CI_TOKEN", "SOME_SECRET"} {
		t.Setenv(name, "canary-plain-0123456789abcdefghijklmnop")
	}
	for _, file := range arrangements(t) {
		t.Run(file, func(t *testing.T) {
			got := lintReport(t, file, false)
			expectNoToken(t, got)
			testkit.Golden(t, arrangementsDir+strings.TrimSuffix(file, filepath.Ext(file))+".txt", []byte(got))
		})
	}
}

func TestStrictLintTakesWarningsForErrors(t *testing.T) {
	for _, file := range []string{"shadow.caddyfile", "rewrites.caddyfile", "public_everything.caddyfile", "files_and_templates_open.caddyfile"} {
		if got := lintReport(t, file, false); strings.Contains(got, "errors found") || !strings.Contains(got, ": warning: ") {
			t.Errorf("%s: got\n%swant warnings alone", file, got)
		}
		if got := lintReport(t, file, true); !strings.Contains(got, "errors found") || strings.Contains(got, ": warning: ") {
			t.Errorf("%s --strict: got\n%swant errors", file, got)
		}
	}
}

func arrangements(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.caddyfile", "*.json"} {
		some, err := filepath.Glob(arrangementsDir + pattern)
		if err != nil || len(some) == 0 {
			t.Fatalf("no %s (%v)", pattern, err)
		}
		for _, file := range some {
			files = append(files, filepath.Base(file))
		}
	}
	slices.Sort(files)
	return files
}

const arrangementsDir = "testdata/lint/"

// lintReport is all that `authmin lint` prints, with the files' names alone.
func lintReport(t *testing.T, file string, strict bool) string {
	t.Helper()
	var out bytes.Buffer
	findings, err := lint(arrangementsDir + file)
	if err == nil {
		err = report(&out, &out, file, findings, strict)
	}
	if err != nil {
		fmt.Fprintf(&out, "Error: %v\n", err)
	}
	here, err := filepath.Abs(arrangementsDir)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(here+"/", "", arrangementsDir, "").Replace(out.String())
}
