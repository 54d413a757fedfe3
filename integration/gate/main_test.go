package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// recorded writes a record of the files as they are now, in which the tests of a
// row passed, and then adds events.
func recorded(t *testing.T, r row, more ...event) string {
	t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	hash, err := treeHash(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	events := []event{{Action: actionTree, Tree: hash}}
	for _, n := range r.tests {
		names := []string{n.test}
		for i := range n.least {
			names = append(names, n.test+"/case_"+string(rune('a'+i)))
		}
		for _, name := range names {
			pkg := modulePath + strings.TrimPrefix(n.pkg, ".")
			events = append(events, event{Action: "run", Package: pkg, Test: name}, event{Action: "pass", Package: pkg, Test: name})
		}
	}
	var text bytes.Buffer
	for _, e := range append(events, more...) {
		if err := json.NewEncoder(&text).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "results")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheExitCodeIsTheResult(t *testing.T) {
	bearer := criteria[1]
	failed := event{Action: "fail", Package: modulePath + "/authmin", Test: "TestParseBearer"}
	good := recorded(t, bearer)
	cases := map[string]struct {
		args []string
		want int
		says string
	}{
		"green":                  {[]string{"--results", good, "--row", "2"}, exitPassed, "Result: pass"},
		"green, as JSON":         {[]string{"--results", good, "--row", "2", "--format", "json"}, exitPassed, `"passed": true`},
		"a test failed":          {[]string{"--results", recorded(t, bearer, failed), "--row", "2"}, exitFailed, "Result: FAIL"},
		"a row that did not run": {[]string{"--results", good, "--row", "2,5"}, exitFailed, "TestAuthIntegration in ./poolmanager did not run"},
		"results of other files": {[]string{"--results", recorded(t, bearer, event{Action: actionTree, Tree: "x"}), "--row", "2"}, exitFailed, "of other files"},
		"no record":              {[]string{"--results", good + "-none"}, exitUsage, "reading record"},
		"a record that is none":  {[]string{"--results", "main.go"}, exitUsage, "main.go: reading record: line 1"},
		"an unknown row":         {[]string{"--row", "16"}, exitUsage, `"16"`},
		"an unknown format":      {[]string{"--format", "xml"}, exitUsage, `"xml"`},
		"an unknown step":        {[]string{"--loop", "--steps", "wet"}, exitUsage, `"wet"`},
		"an unknown flag":        {[]string{"--fast"}, exitUsage, "flag provided but not defined"},
		"an argument":            {[]string{"loop"}, exitUsage, `"loop"`},
		"steps without the loop": {[]string{"--steps", "vet"}, exitUsage, "--loop"},
		"rows in the loop":       {[]string{"--loop", "--row", "5"}, exitUsage, "--row"},
		"a record of no run":     {[]string{"--results", good, "--record", good}, exitUsage, "--record"},
		"a record at no place":   {[]string{"--row", "2", "--record", good + "/x"}, exitUsage, "opening record"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			got := run(t.Context(), c.args, &stdout, &stderr)
			if said := stdout.String() + stderr.String(); got != c.want || !strings.Contains(said, c.says) {
				t.Errorf("exit code %d, want %d; said\n%s\nwant %q in it", got, c.want, said, c.says)
			}
		})
	}
}
