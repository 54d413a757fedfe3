package main

import (
	"bytes"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager"
)

// TestHelpListsEveryKeyAndVariable holds the help against the settings and secrets that
// are declared, those of templates and pools as well.
func TestHelpListsEveryKeyAndVariable(t *testing.T) {
	var text bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, env(nil), io.Discard, &text); err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, word := range regexp.MustCompile(`[A-Za-z_]+`).FindAllString(text.String(), -1) {
		words[word] = true
	}
	c := new(config)
	settings := c.Settings()
	keys := slices.Concat(settings.Keys(), []string{"log_level"}, new(template).settings().Keys(), preloadSettings(new(poolmanager.Preload)).Keys())
	variables := append(settings.Variables(), program().LogVariable)
	for _, secret := range c.Secrets() {
		variables = append(variables, secret.Variable)
	}
	for _, word := range slices.Concat(keys, variables) {
		if !words[word] {
			t.Errorf("the help does not name %s", word)
		}
	}
	if len(keys) < 30 || len(variables) < 12 {
		t.Errorf("only %d keys and %d variables", len(keys), len(variables))
	}
}

// The help of the program is its documentation: on a host there is no other.
func TestHelpShowsTheDocumentation(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, func(string) (string, bool) { return "", false }, io.Discard, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first_token_limit_ms", "POOL_MANAGERD_LOG_LEVEL", "llorch_token_source_errors_total", "# Templates", "-check"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help does not name %q", want)
		}
	}
	testkit.Golden(t, "testdata/help.txt", out.Bytes())
	if strings.Contains(out.String(), "//\t") || strings.Contains(out.String(), "package main") {
		t.Errorf("the help shows source text:\n%s", out.String())
	}
}

// The manual page has each key and variable, as the help has.
func TestTheManualPageIsGenerated(t *testing.T) {
	dir := t.TempDir()
	if err := run(t.Context(), []string{"manpage", "--directory", dir}, env(nil), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	settings := new(config).Settings()
	testkit.ManualPage(t, filepath.Join(dir, "poolmanagerd.8"), "poolmanagerd", append(settings.Keys(), "log_level"), append(settings.Variables(), "LLORCH_UPSTREAM_TOKEN"))
}

// The document for operators is what the program declares.
func TestTheReferenceIsGenerated(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--reference"}, env(nil), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	testkit.GoldenPart(t, "../../../deploy/docs/configuration.md", "poolmanagerd", out.Bytes())
}
