package houserules_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// limitsPage has the bounds, each with its declaration.
const limitsPage = "deploy/docs/limits.md"

// TestLimits: each bound of the page is declared in the code as the page says.
func TestLimits(t *testing.T) {
	wrong, declared := wrongLimits(t, os.DirFS(root(t)))
	for _, w := range wrong {
		t.Error(w)
	}
	if declared < 40 {
		t.Errorf("%d declarations found, want at least 40", declared)
	}
}

func TestLimitsCanFail(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		wrong  int
	}{
		"the same":       {"const (\n\tmaxNodes  = 1 << 10 // of all\n)\n", 0},
		"another value":  {"const maxNodes = 1 << 11\n", 1},
		"a longer value": {"const maxNodes = 1 << 100\n", 1},
		"another name":   {"const notmaxNodes = 1 << 10\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{limitsPage: {Data: []byte("| [`maxNodes = 1 << 10`](../../a/b.go) |\n")}, "a/b.go": {Data: []byte(c.source)}}
			if wrong, _ := wrongLimits(t, tree); len(wrong) != c.wrong {
				t.Errorf("got %q, want %d", wrong, c.wrong)
			}
		})
	}
}

var declaration = regexp.MustCompile("\\[`([^`=]+) = ([^`]+)`\\]\\(([^)]+\\.go)\\)")

// wrongLimits compares the page with the code, and counts the declarations.
func wrongLimits(t *testing.T, tree fs.FS) (wrong []string, declared int) {
	t.Helper()
	page, err := fs.ReadFile(tree, limitsPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range declaration.FindAllStringSubmatch(string(page), -1) {
		declared++
		file := path.Join(path.Dir(limitsPage), m[3])
		source, err := fs.ReadFile(tree, file)
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		pattern := `(?m)^\s*(const )?` + strings.ReplaceAll(regexp.QuoteMeta(m[1]), " ", `\s*`) + `( [a-z0-9]+)?\s+= ` + regexp.QuoteMeta(m[2]) + `(\s*//.*)?$`
		if !regexp.MustCompile(pattern).Match(source) {
			wrong = append(wrong, fmt.Sprintf("%s does not declare %s = %s", file, m[1], m[2]))
		}
	}
	return wrong, declared
}
