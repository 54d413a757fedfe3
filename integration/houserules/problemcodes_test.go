package houserules_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"iter"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/llorch/gateway/authmin/backend"
)

// fewestCodes is less than the edge and the backends have: a walk that finds
// nothing holds nothing.
const fewestCodes = 90

// TestProblemCodesAreUnique: in the whole project a code has one number, a number
// one code, and the number begins with the status. The edge may not import the
// backends' registry, so this reads the source of both.
func TestProblemCodesAreUnique(t *testing.T) {
	c := walkCodes(t, os.DirFS(root(t)), backend.Codes())
	for _, broken := range c.broken {
		t.Error(broken)
	}
	if len(c.numbers) < fewestCodes {
		t.Errorf("found %d codes, want at least %d", len(c.numbers), fewestCodes)
	}
	for code, n := range map[string]int{"MISSING_TOKEN": 40101, "BAD_TOKEN": 40102, "INSUFFICIENT_SCOPE": 40302, "NON_LOOPBACK_WITHOUT_TOKEN": 40301} {
		if c.numbers[code] != n {
			t.Errorf("%s is %d, want the specification's %d", code, c.numbers[code], n)
		}
	}
	t.Attr("evidence", fmt.Sprintf("%d codes, each with a number of its own", len(c.numbers)))
}

// TestProblemCodesCanFail shows the walk each mistake.
func TestProblemCodesCanFail(t *testing.T) {
	const head = "package p\nimport \"net/http\"\n"
	registry := map[string]int{"POOL_BUSY": 40902, "NO_SLOT": 42911}
	cases := map[string]struct {
		file, source string
		want         string // a part of the finding; "" for none
	}{
		"a code and its number":            {"caddymodule/a.go", `var p = authmin.Problem{Status: http.StatusConflict, Code: "OTHER", CodeNumber: 40903}`, ""},
		"the same one twice":               {"caddymodule/a.go", `var p = authmin.Problem{Status: 409, Code: "POOL_BUSY", CodeNumber: 40902}`, ""},
		"another's number":                 {"caddymodule/a.go", `var p = authmin.Problem{Status: 429, Code: "LIMITED", CodeNumber: 42911}`, "NO_SLOT"},
		"a second number":                  {"authmin/a.go", `var p = Problem{Status: 409, Code: "POOL_BUSY", CodeNumber: 40904}`, "40902"},
		"a number of another status":       {"authmin/a.go", `var p = Problem{Status: http.StatusForbidden, Code: "OTHER", CodeNumber: 40104}`, "403"},
		"no number":                        {"caddymodule/a.go", `var p = authmin.Problem{Status: 403, Code: "OTHER"}`, "no number"},
		"an error with another's number":   {"caddymodule/a.go", `var e = errors.New("REFUSED (42911)")`, "NO_SLOT"},
		"a registered code":                {"orchestrator/a.go", `var e = fail(Conflict, "POOL_BUSY", "x")`, ""},
		"one that is not registered":       {"orchestrator/a.go", `var e = fail(Conflict, "OTHER", "x")`, "not registered"},
		"a problem without":                {"orchestrator/httpapi/a.go", `var e = newProblem(409, "OTHER", "x")`, "not registered"},
		"one of the ground floor":          {"authmin/backend/a.go", `var e = NewProblem(409, "OTHER", "x")`, "not registered"},
		"an error literal":                 {"orchestrator/a.go", `var e = &Error{Kind: Busy, Code: "OTHER"}`, "not registered"},
		"a task's failure":                 {"orchestrator/a.go", `var e = failed("OTHER", "x", "")`, "not registered"},
		"a table":                          {"poolmanager/a.go", `var t = []row{{errA, 404, "OTHER", ""}}`, "not registered"},
		"a test":                           {"orchestrator/a_test.go", `var e = fail(Conflict, "OTHER", "x")`, ""},
		"another function with a constant": {"orchestrator/a.go", `var e = os.Getenv("OTHER")`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := walkCodes(t, fstest.MapFS{c.file: {Data: []byte(head + c.source)}}, maps.All(registry)).broken
			if (len(got) > 0) != (c.want != "") || !strings.Contains(strings.Join(got, "\n"), c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// codes is what a walk has found.
type codes struct {
	numbers map[string]int
	names   map[int]string
	broken  []string
}

var (
	codeText     = regexp.MustCompile(`^[A-Z]+(_[A-Z]+)*$`)
	numberedText = regexp.MustCompile(`^([A-Z_]+) \((\d{5})\)$`) // of an error
	// codeArgs are the functions that take a code, and which argument it is.
	codeArgs = map[string]int{"fail": 1, "newProblem": 1, "NewProblem": 1, "failed": 0, "queueFull": 0}
)

func walkCodes(t *testing.T, tree fs.FS, registry iter.Seq2[string, int]) *codes {
	t.Helper()
	c := &codes{numbers: map[string]int{}, names: map[int]string{}}
	registered := maps.Collect(registry)
	for code, n := range registered {
		c.add("the registry", code, n)
	}
	eachFile(t, tree, []string{".go"}, func(name string, source []byte) {
		first, _, _ := strings.Cut(name, "/")
		if strings.HasSuffix(name, "_test.go") || !slices.Contains([]string{"authmin", "caddymodule", "orchestrator", "poolmanager"}, first) {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		edge := first == "caddymodule" || first == "authmin" && !strings.HasPrefix(name, "authmin/backend/")
		ast.Inspect(file, func(n ast.Node) bool {
			c.look(name, n)
			if code := usedCode(n); !edge && code != "" && registered[code] == 0 {
				c.broken = append(c.broken, fmt.Sprintf("%s: %s is not registered in authmin/backend/codes.go", name, code))
			}
			return true
		})
	})
	return c
}

func (c *codes) add(where, code string, n int) {
	if other, taken := c.numbers[code]; taken && other != n {
		c.broken = append(c.broken, fmt.Sprintf("%s: %s is %d, elsewhere %d", where, code, n, other))
	}
	if other, taken := c.names[n]; taken && other != code {
		c.broken = append(c.broken, fmt.Sprintf("%s: %d is %s, elsewhere %s", where, n, code, other))
	}
	c.numbers[code], c.names[n] = n, code
}

// look notes a code that stands beside its number.
func (c *codes) look(where string, n ast.Node) {
	if m := numberedText.FindStringSubmatch(textOf(n)); m != nil {
		number, _ := strconv.Atoi(m[2])
		c.add(where, m[1], number)
	}
	fields := fieldsOf(n)
	code := textOf(fields["Code"])
	if fields["Status"] == nil || !codeText.MatchString(code) {
		return
	}
	number, status := numberOf(fields["CodeNumber"]), statusOf(fields["Status"])
	switch {
	case number == 0:
		c.broken = append(c.broken, fmt.Sprintf("%s: %s has no number", where, code))
	case status != 0 && number/100 != status:
		c.broken = append(c.broken, fmt.Sprintf("%s: %s is %d, and its status %d", where, code, number, status))
	default:
		c.add(where, code, number)
	}
}

// usedCode is the code that a node makes an answer or a task's failure of.
func usedCode(n ast.Node) (code string) {
	switch n := n.(type) {
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if i, ok := codeArgs[name]; ok && i < len(n.Args) {
			code = textOf(n.Args[i])
		}
	case *ast.CompositeLit:
		if fields := fieldsOf(n); fields["Kind"] != nil {
			code = textOf(fields["Code"])
		}
		for i := 1; i < len(n.Elts); i++ { // a table's status and code
			if numberOf(n.Elts[i-1]) >= http.StatusBadRequest {
				code = textOf(n.Elts[i])
			}
		}
	}
	if !codeText.MatchString(code) {
		return ""
	}
	return code
}

// fieldsOf are the named fields of a composite literal.
func fieldsOf(n ast.Node) map[string]ast.Expr {
	fields := map[string]ast.Expr{}
	if lit, ok := n.(*ast.CompositeLit); ok {
		for _, e := range lit.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok {
				if key, ok := pair.Key.(*ast.Ident); ok {
					fields[key.Name] = pair.Value
				}
			}
		}
	}
	return fields
}

func textOf(n ast.Node) string {
	if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		text, _ := strconv.Unquote(lit.Value)
		return text
	}
	return ""
}

func numberOf(n ast.Node) int {
	if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.INT {
		number, _ := strconv.Atoi(lit.Value)
		return number
	}
	return 0
}

// statusOf reads 404 and http.StatusNotFound.
func statusOf(n ast.Node) int {
	if s, ok := n.(*ast.SelectorExpr); ok {
		for status := 100; status < 600; status++ {
			if "Status"+strings.Map(letters, http.StatusText(status)) == s.Sel.Name {
				return status
			}
		}
	}
	return numberOf(n)
}

func letters(c rune) rune {
	if c == ' ' || c == '-' || c == '\'' {
		return -1
	}
	return c
}
