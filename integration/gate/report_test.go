package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// aReport has a green row and a red one.
func aReport(t *testing.T) report {
	t.Helper()
	in := green(t)
	delete(in.results.tests, testID{"./authmin", "TestParseBearer"})
	rep := judgeAll(criteria[:2], blockers[:1], in)
	rep.Commit = "abc123"
	return rep
}

func TestReportsHaveEverything(t *testing.T) {
	rep := aReport(t)
	cases := map[string][]string{
		"text": {
			"FAIL  2    every bearer token is parsed by authmin\n", "! TestParseBearer in ./authmin did not run\n",
			"pass  1    every token comparison", "repeat: go run ./integration/gate --row 2\n", "pass  P0.1",
			"go test -count=1 -run '^(TestSecretLint|TestSecretLintFlags)$' ./integration/houserules\n",
			"open  security", "name: ____________________", "date: ____________________",
			"Result: FAIL. Criteria 1 of 2, P0 1 of 1, 3 sign-offs open.\n",
		},
		"markdown": {
			"| FAIL | 2 | every bearer token is parsed by authmin | **TestParseBearer in ./authmin did not run**<br>",
			"| `go run ./integration/gate --row 1` |", "| pass | P0.1 |", "| open | security | read the threat model, and accepts what remains |  |  |", "Result: FAIL.",
		},
		"json": {`"id": "2"`, `"passed": false`, `"commit": "abc123"`, `"command": "go run ./integration/gate --row 2"`, `"name": ""`},
	}
	for format, want := range cases {
		var out bytes.Buffer
		if err := formats[format](&out, rep); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s has no %q:\n%s", format, text, out.String())
			}
		}
	}
}

func TestJSONReadsBack(t *testing.T) {
	rep := aReport(t)
	var out bytes.Buffer
	if err := writeJSON(&out, rep); err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Passed || len(got.Criteria) != 2 || got.Criteria[0].Passed == got.Criteria[1].Passed {
		t.Errorf("got %+v", got)
	}
}

// TestSignOffsAreOpen: no program signs, and none is counted as done.
func TestSignOffsAreOpen(t *testing.T) {
	if len(signOffs) == 0 || slices.ContainsFunc(signOffs, func(s signOff) bool { return s.Name != "" || s.Date != "" }) {
		t.Errorf("sign-offs %+v, want some, and all empty", signOffs)
	}
	if rep := judgeAll(criteria, blockers, green(t)); !rep.Passed || len(rep.SignOffs) != len(signOffs) {
		t.Errorf("passed %v with %d sign-offs, want them beside the result", rep.Passed, len(rep.SignOffs))
	}
}

func TestMarkdownCellsStayCells(t *testing.T) {
	if got, want := escape("a|b\nc <d> *e* f_g"), `a\|b c &lt;d> \*e\* f\_g`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
