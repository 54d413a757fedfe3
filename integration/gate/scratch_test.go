package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// good is a small module of the same name, with what the steps look at.
var good = map[string]string{
	"a.go":                             "// Package gateway is a test.\npackage gateway\n",
	"a_test.go":                        "package gateway\n\nimport \"testing\"\n\nfunc TestLayers(t *testing.T) { t.Attr(\"evidence\", \"seen\") }\n",
	"authmin/b.go":                     "// Package authmin is a test.\npackage authmin\n\n// One is 1.\nfunc One() int { return 1 }\n",
	"authmin/b_test.go":                "package authmin\n\nimport \"testing\"\n\nfunc TestOne(t *testing.T) {\n\tt.Run(\"is one\", func(t *testing.T) {\n\t\tif One() != 1 {\n\t\t\tt.Error(\"not one\")\n\t\t}\n\t})\n}\n",
	"caddymodule/f.go":                 "// Package caddymodule is a test.\npackage caddymodule\n",
	"orchestrator/g.go":                "// Package orchestrator is a test.\npackage orchestrator\n",
	"poolmanager/h.go":                 "// Package poolmanager is a test.\npackage poolmanager\n",
	"integration/houserules/c_test.go": "package houserules\n\nimport \"testing\"\n\nfunc TestFiles(*testing.T) {}\n",
	"integration/observability/e.go":   "//go:build observability\n\n// Package observability is a test.\npackage observability\n",
	"integration/containers/e.go":      "//go:build containers\n\n// Package containers is a test.\npackage containers\n",
	"integration/packages/e.go":        "//go:build packages\n\n// Package packages is a test.\npackage packages\n",
	"integration/cluster/d.go":         "//go:build failover\n\n// Package cluster is a test.\npackage cluster\n",
	"integration/soak/d.go":            "//go:build soak\n\n// Package soak is a test.\npackage soak\n",
	"integration/attacks/d.go":         "//go:build upstreams\n\n// Package attacks is a test.\npackage attacks\n",
	"integration/rolling/d.go":         "//go:build rolling\n\n// Package rolling is a test.\npackage rolling\n",
	"integration/bypass/d.go":          "//go:build browser\n\n// Package bypass is a test.\npackage bypass\n",
	"integration/bypass/e.go":          "// Package bypass is a test.\npackage bypass\n",
}

// scratch is a repository with these files, and with the tools of ours.
func scratch(t *testing.T, files map[string]string) *runner {
	t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "integration/lint/go.mod", "integration/lint/go.sum", "integration/lint/main.go"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		write(name, content)
	}
	for name, content := range files {
		write(name, []byte(content))
	}
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "-A"},
		{"-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-q", "-m", "all"},
	} {
		if _, err := output(t.Context(), dir, "git", args...); err != nil {
			t.Fatal(err)
		}
	}
	return &runner{root: dir, show: &bytes.Buffer{}, record: &bytes.Buffer{}, results: newResults()}
}

// TestStepsCanFail runs each step on a module in which nothing is wrong, and on
// one in which what it is for is wrong.
func TestStepsCanFail(t *testing.T) {
	cases := []struct {
		name, steps, file, content string
		ok                         bool
	}{
		{"nothing is wrong", "format,vet,staticcheck,lint,house,race", "authmin/x.go", "package authmin\n", true},
		{"a file that is not formatted", "format", "authmin/x.go", "package authmin\nfunc  x( ) { }\n", false},
		{"a format that does not fit its argument", "vet", "authmin/x.go", "package authmin\n\nimport \"fmt\"\n\nfunc init() { fmt.Printf(\"%d\", \"x\") }\n", false},
		{"the same in a tagged file", "vet", "integration/bypass/x.go", "//go:build browser\n\npackage bypass\n\nimport \"fmt\"\n\nfunc init() { fmt.Printf(\"%d\", \"x\") }\n", false},
		{"a function of no use", "staticcheck", "authmin/x.go", "package authmin\n\nfunc unused() {}\n", false},
		{"an error compared with ==", "lint", "authmin/x.go", "package authmin\n\nimport \"io/fs\"\n\n// X is a test.\nfunc X(err error) bool { return err == fs.ErrExist }\n", false},
		{"a body that is not closed", "lint", "authmin/x.go", "package authmin\n\nimport \"net/http\"\n\n// X is a test.\nfunc X() int {\n\tres, err := http.Get(\"http://127.0.0.1:1\")\n\tif err != nil {\n\t\treturn 0\n\t}\n\treturn res.StatusCode\n}\n", false},
		{"a log key in camel case", "lint", "authmin/x.go", "package authmin\n\nimport \"log/slog\"\n\n// X is a test.\nfunc X() { slog.Info(\"x\", \"aKey\", 1) }\n", false},
		{"a broken rule of the house", "house", "integration/houserules/x_test.go", "package houserules\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) { t.Error(\"broken\") }\n", false},
		{"a data race", "race", "authmin/x_test.go", "package authmin\n\nimport \"testing\"\n\nfunc TestX(*testing.T) {\n\tn, done := 0, make(chan int)\n\tgo func() { n++; close(done) }()\n\tn++\n\t<-done\n}\n", false},
		{"a package that does not compile", "race", "authmin/x_test.go", "package authmin\n\nvar x int = \"\"\n", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			files := maps.Clone(good)
			files[c.file] = c.content
			r := scratch(t, files)
			steps, err := chosen(strings.Split(c.steps, ","), false)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.loop(t.Context(), steps); (err == nil) != c.ok {
				t.Errorf("got %v, want success %v\n%s", err, c.ok, r.show)
			}
			again := newResults()
			if err := again.read(r.record.(*bytes.Buffer)); err != nil {
				t.Fatal(err)
			}
			for _, s := range steps {
				if got := again.steps[s.name]; got == nil || !got.ended || got.passed != c.ok {
					t.Errorf("the record says of %s: %+v, want passed %v", s.name, got, c.ok)
				}
			}
		})
	}
}

// TestARunIsJudged runs the tests of a row in a scratch repository, and then
// breaks what they test.
func TestARunIsJudged(t *testing.T) {
	r := row{id: "1", tests: []named{{"./authmin", "TestOne", 1}, {".", "TestLayers", 0}}}
	judged := func(files map[string]string) verdict {
		t.Helper()
		run := scratch(t, files)
		if err := run.runRows(t.Context(), []row{r}); err != nil {
			t.Fatal(err)
		}
		hash, err := treeHash(t.Context(), run.root)
		if err != nil {
			t.Fatal(err)
		}
		return judge(r, &inputs{tree: os.DirFS(run.root), hash: hash, results: run.results})
	}
	if v := judged(good); !v.Passed || !slices.Contains(v.Evidence, "TestLayers in . passed; seen") {
		t.Errorf("nothing is wrong: got %+v", v)
	}
	for name, c := range map[string]struct{ file, from, to, says string }{
		"the code":         {"authmin/b.go", "return 1", "return 2", "TestOne in ./authmin failed: is_one"},
		"a build":          {"authmin/b.go", "return 1", "return \"\"", "TestOne in ./authmin did not run"},
		"a renamed test":   {"authmin/b_test.go", "TestOne", "TestTwo", "TestOne in ./authmin did not run"},
		"a skipped test":   {"a_test.go", "t.Attr(\"evidence\", \"seen\")", "t.SkipNow()", "TestLayers in . was left out"},
		"a case left out":  {"authmin/b_test.go", "t.Run(", "_ = func(string, func(*testing.T)) {}; func(string, func(*testing.T)) {}(", "ran 0 cases, want at least 1"},
		"a test that ends": {"a_test.go", "t.Attr(\"evidence\", \"seen\")", "panic(1)", "TestLayers in . failed"},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(good)
			files[c.file] = strings.ReplaceAll(files[c.file], c.from, c.to)
			if v := judged(files); v.Passed || !strings.Contains(strings.Join(v.Faults, "\n"), c.says) {
				t.Errorf("passed %v with %q, want red with %q", v.Passed, v.Faults, c.says)
			}
		})
	}
}
