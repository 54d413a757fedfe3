// Command lint has analyzers that neither go vet nor staticcheck has, as a tool for
// go vet:
//   - errorlint: errors are compared with errors.Is and errors.As, which see through
//     wrapping, and not with == or a type assertion
//   - bodyclose: the body of each HTTP response is closed
//   - sloglint: the arguments of a log line are all pairs or all attributes, and its
//     keys are snake_case
//
// Test files are excepted: they compare errors for identity on purpose, and most of
// their responses are a recorder's or are closed by a helper.
//
// The developer loop builds and runs it (go run ./integration/gate --loop --steps lint).
//
// It is a module of its own, so that the modules of linters are not in the product's
// go.mod. golangci-lint has the same analyzers; this builds in seconds, golangci-lint
// in minutes.
package main

import (
	"strings"

	"codeberg.org/polyfloyd/go-errorlint/errorlint"
	"github.com/timakin/bodyclose/passes/bodyclose"
	"go-simpler.org/sloglint"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/unitchecker"
)

func main() {
	unitchecker.Main(
		withoutTests(errorlint.NewAnalyzer()),
		withoutTests(bodyclose.Analyzer),
		withoutTests(sloglint.New(&sloglint.Options{NoMixedArguments: true, KeyNamingCase: "snake"})),
	)
}

// withoutTests is the analyzer without its reports on test files.
func withoutTests(a *analysis.Analyzer) *analysis.Analyzer {
	changed := *a
	changed.Run = func(pass *analysis.Pass) (any, error) {
		filtered := *pass
		filtered.Report = func(d analysis.Diagnostic) {
			if !strings.HasSuffix(pass.Fset.Position(d.Pos).Filename, "_test.go") {
				pass.Report(d)
			}
		}
		return a.Run(&filtered)
	}
	return &changed
}
