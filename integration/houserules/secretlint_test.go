package houserules_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// guarded are the packages whose code handles secrets.
var guarded = []string{"./authmin/...", "./caddymodule/...", "./orchestrator/...", "./poolmanager/..."}

// allowed names places that the lint flags and that are right all the same,
// with the reason: "folder/file.go: why the lint says" → reason.
var allowed = map[string]string{}

// TestSecretLint holds the tree to the first rule of the gateway: no secret
// reaches ==, switch, a text comparison or a map key.
func TestSecretLint(t *testing.T) {
	used := map[string]bool{}
	for _, p := range loadPackages(t, guarded...) {
		for _, f := range lintSecrets(p) {
			name, err := filepath.Rel(root(t), f.at.Filename)
			if err != nil {
				t.Fatal(err)
			}
			key := filepath.ToSlash(name) + ": " + f.why
			if allowed[key] == "" {
				t.Errorf("%s:%d: %s", name, f.at.Line, f.why)
			}
			used[key] = true
		}
	}
	for key := range maps.Keys(allowed) {
		if !used[key] {
			t.Errorf("the exception %q is no longer needed", key)
		}
	}
}

// TestSecretLintFlags compares the findings in the fixtures with their
// comments, line by line: "// want" marks what must be flagged.
func TestSecretLintFlags(t *testing.T) {
	for _, folder := range []string{"flagged", "accepted"} {
		t.Run(folder, func(t *testing.T) {
			path := "./integration/houserules/testdata/secretlint/" + folder
			p := loadPackages(t, path)[0]
			var got []string
			for _, f := range lintSecrets(p) {
				got = append(got, fmt.Sprintf("%s:%d", filepath.Base(f.at.Filename), f.at.Line))
			}
			slices.Sort(got)
			got = slices.Compact(got)
			want := markedLines(t, p.GoFiles)
			if folder == "flagged" && len(want) == 0 {
				t.Fatal("the fixture marks no line")
			}
			for _, line := range want {
				if !slices.Contains(got, line) {
					t.Errorf("%s: not flagged", line)
				}
			}
			for _, line := range got {
				if !slices.Contains(want, line) {
					t.Errorf("%s: flagged, but allowed", line)
				}
			}
		})
	}
}

func markedLines(t *testing.T, files []string) []string {
	t.Helper()
	var marked []string
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(source), "\n") {
			if strings.HasSuffix(line, "// want") {
				marked = append(marked, fmt.Sprintf("%s:%d", filepath.Base(name), i+1))
			}
		}
	}
	slices.Sort(marked)
	return marked
}

// loadPackages reads packages with their types; one that does not compile is
// a failure, since the lint would see half of it.
func loadPackages(t *testing.T, patterns ...string) []*packages.Package {
	t.Helper()
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes |
			packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps | packages.NeedExportFile,
		Dir: root(t),
	}, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) == 0 {
		t.Fatalf("no package in %q", patterns)
	}
	for _, p := range loaded {
		for _, e := range p.Errors {
			t.Fatalf("loading %s: %v", p.PkgPath, e)
		}
	}
	return loaded
}
