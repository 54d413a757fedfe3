package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/poolmanager"
)

// TestEveryKeyIsDocumented holds the documentation against the settings and secrets
// that are declared.
func TestEveryKeyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, word := range regexp.MustCompile(`[A-Za-z_]+`).FindAllString(string(text), -1) {
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
			t.Errorf("%s is not in doc.go", word)
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
	for _, want := range []string{"first_token_limit_ms", "POOL_MANAGERD_LOG_LEVEL", "poolmanager_token_source_errors_total", "# Templates", "-check"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help does not name %q", want)
		}
	}
	if strings.Contains(out.String(), "//\t") || strings.Contains(out.String(), "package main") {
		t.Errorf("the help shows source text:\n%s", out.String())
	}
}
