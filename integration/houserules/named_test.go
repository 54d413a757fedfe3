package houserules_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// guides are the documents that lead through the code by the names of files,
// functions and tests.
var guides = []string{"ARCHITECTURE.md", "CONTRIBUTING.md"}

// TestNamedCodeExists: what the guides name in code spans is there. In a table whose
// first column is `file`, the names of a row are declared in that file, and the
// packages of a table are visited one after the other, each once.
func TestNamedCodeExists(t *testing.T) {
	tree := os.DirFS(root(t))
	code := declarations(t, tree)
	for _, name := range guides {
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			t.Error(err)
			continue
		}
		faults, names := code.check(string(text))
		for _, fault := range faults {
			t.Errorf("%s: %s", name, fault)
		}
		if least := 20; names < least {
			t.Errorf("%s names %d files, functions and tests, want at least %d", name, names, least)
		}
	}
}

func TestNamedCodeCanFail(t *testing.T) {
	tree := fstest.MapFS{
		"go.mod":            {},
		"authmin/a.go":      {Data: []byte("package authmin\nfunc F() {}\ntype T struct{}\nfunc (*T) M() {}\nvar V int\n")},
		"authmin/b.go":      {Data: []byte("package authmin\nfunc G() {}\n")},
		"authmin/a_test.go": {Data: []byte("package authmin_test\nfunc TestF() {}\n")},
		"orchestrator/c.go": {Data: []byte("package orchestrator\nfunc H() {}\n")},
	}
	const head = "| file | names |\n| --- | --- |\n"
	cases := map[string]struct {
		text   string
		faults int
	}{
		"a file":                          {"`authmin/a.go`", 0},
		"a file that is not there":        {"`authmin/x.go`", 1},
		"a folder":                        {"`authmin/`", 0},
		"a folder that is not there":      {"`orchestrator/store/`", 1},
		"a file without its folder":       {"`a.go`", 1},
		"a file at the root":              {"`go.mod`", 0},
		"a link's text":                   {"[`authmin/x.go`](authmin)", 1},
		"a name with its package":         {"`authmin.F`, `authmin.T.M`", 0},
		"a wrong name with its package":   {"`authmin.H`", 1},
		"a name of no package of ours":    {"`http.Server`", 0},
		"a test":                          {"`TestF`", 0},
		"a test that is not there":        {"`TestG`", 1},
		"a command":                       {"`go test -run TestF ./authmin`", 0},
		"a command on a wrong folder":     {"`go test -run TestF ./auth`", 1},
		"a command with a wrong test":     {"`go test -run TestG ./authmin`", 1},
		"a row":                           {head + "| `authmin/a.go` | `F`, `T.M`, `V` |", 0},
		"a row with another file's name":  {head + "| `authmin/a.go` | `G` |", 1},
		"a package once":                  {head + "| `authmin/a.go` | `F` |\n| `authmin/b.go` | `G` |\n| `orchestrator/c.go` | `H` |", 0},
		"a package twice":                 {head + "| `authmin/a.go` | `F` |\n| `orchestrator/c.go` | `H` |\n| `authmin/b.go` | `G` |", 1},
		"a package in each of two tables": {head + "| `authmin/a.go` | `F` |\n\n" + head + "| `authmin/b.go` | `G` |", 0},
		"words":                           {"`no/such`, `GET /v1/models`, `X-Auth-Identity`, `a.b`", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, _ := declarations(t, tree).check(c.text); len(got) != c.faults {
				t.Errorf("got %q, want %d", got, c.faults)
			}
		})
	}
}

// declared are the names that Go code declares: F, T, and T.M for a method.
type declared struct {
	tree     fs.FS
	files    map[string]map[string]bool // by file
	packages map[string]map[string]bool // by the package's name
	tests    map[string]map[string]bool // by the folder; "" is every folder
}

func declarations(t *testing.T, tree fs.FS) declared {
	t.Helper()
	d := declared{tree, map[string]map[string]bool{}, map[string]map[string]bool{}, map[string]map[string]bool{"": {}}}
	eachFile(t, tree, []string{".go"}, func(name string, source []byte) {
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		d.files[name] = map[string]bool{}
		folder, pkg := path.Dir(name), file.Name.Name
		for _, m := range []map[string]map[string]bool{d.packages, d.tests} {
			for _, key := range []string{folder, pkg} {
				if m[key] == nil {
					m[key] = map[string]bool{}
				}
			}
		}
		for _, n := range declaredNames(file) {
			d.files[name][n], d.packages[pkg][n] = true, true
			if strings.HasSuffix(name, "_test.go") {
				d.tests[folder][n], d.tests[""][n] = true, true
			}
		}
	})
	return d
}

func declaredNames(file *ast.File) (names []string) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if receiver := receiverName(d); receiver != "" {
				names = append(names, receiver+"."+d.Name.Name)
				continue
			}
			names = append(names, d.Name.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
				case *ast.ValueSpec:
					for _, id := range s.Names {
						names = append(names, id.Name)
					}
				}
			}
		}
	}
	return names
}

var (
	codeSpan  = regexp.MustCompile("`([^`]+)`")
	goName    = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$`)
	qualified = regexp.MustCompile(`^([a-z]\w*)\.([A-Z]\w*(\.\w+)?)$`)
	testName  = regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)[A-Z]\w*$`)
	fileName  = regexp.MustCompile(`^[\w./-]+\.(go|md|yml|yaml|feature|tmpl|mod)$`)
)

// check tells what a document names that is not there, and how many names it has.
func (d declared) check(text string) (faults []string, names int) {
	inTable, last := false, ""
	var left []string // the packages that a table has left
	for line := range strings.Lines(prose([]byte(text))) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "| file |"):
			inTable, last, left = true, "", nil
		case !strings.HasPrefix(line, "|"):
			inTable = false
		}
		spans := codeSpan.FindAllStringSubmatch(line, -1)
		for _, m := range spans {
			checked, err := d.span(m[1])
			if checked {
				names++
			}
			if err != nil {
				faults = append(faults, err.Error())
			}
		}
		_, row, _ := strings.Cut(line, "|")
		_, row, _ = strings.Cut(row, "|")
		second, _, _ := strings.Cut(row, "|")
		if !inTable || len(spans) == 0 {
			continue
		}
		file := spans[0][1]
		for _, m := range codeSpan.FindAllStringSubmatch(second, -1) {
			if names++; goName.MatchString(m[1]) && !d.files[file][m[1]] {
				faults = append(faults, fmt.Sprintf("%s does not declare %s", file, m[1]))
			}
		}
		if folder := path.Dir(file); folder != last {
			if slices.Contains(left, folder) {
				faults = append(faults, fmt.Sprintf("%s: the table comes back to %s", file, folder))
			}
			left, last = append(left, last), folder
		}
	}
	return faults, names
}

// span checks one code span, if it is of a kind that is checked.
func (d declared) span(text string) (checked bool, err error) {
	first, _, inFolder := strings.Cut(text, "/")
	switch m := qualified.FindStringSubmatch(text); {
	case strings.HasPrefix(text, "go test "):
		return true, d.command(text)
	case strings.Contains(text, " "):
		return false, nil
	case fileName.MatchString(text), inFolder && (slices.Contains(folders, first) || first == ".ci" || first == ".github"):
		if _, err := fs.Stat(d.tree, strings.TrimSuffix(text, "/")); err != nil {
			return true, fmt.Errorf("%s: no such file or folder, from the root of the repository", text)
		}
		return true, nil
	case testName.MatchString(text):
		if !d.tests[""][text] {
			return true, fmt.Errorf("%s: no such test", text)
		}
		return true, nil
	case m != nil && d.packages[m[1]] != nil:
		if !d.packages[m[1]][m[2]] {
			return true, fmt.Errorf("%s: package %s does not declare %s", text, m[1], m[2])
		}
		return true, nil
	}
	return false, nil
}

// command checks the tests and folders of a `go test` command.
func (d declared) command(text string) error {
	var tests, places []string
	for word := range strings.FieldsSeq(text) {
		switch word = strings.Trim(word, "'^$"); {
		case strings.HasPrefix(word, "./"):
			places = append(places, strings.TrimSuffix(path.Clean(word), "/..."))
		case testName.MatchString(word):
			tests = append(tests, word)
		}
	}
	for _, place := range places {
		if _, err := fs.Stat(d.tree, place); err != nil {
			return fmt.Errorf("%s: no folder %s", text, place)
		}
		for _, test := range tests {
			if !d.tests[place][test] {
				return fmt.Errorf("%s: no test %s in %s", text, test, place)
			}
		}
	}
	return nil
}
