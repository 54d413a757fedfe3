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
)

// The help of the program lists every key and variable: on a host there is nothing else
// to look them up in.
func TestHelpListsEveryKeyAndVariable(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, environment(), io.Discard, &out); err != nil {
		t.Fatal(err)
	}
	words := regexp.MustCompile(`[A-Za-z_]+`).FindAllString(out.String(), -1)
	wanted := []string{"LLORCH_API_TOKEN", "LLORCH_UPSTREAM_TOKEN", "POOL_MANAGER_TOKEN", "check", "migrate", "health", "status"}
	settings := new(config).Settings()
	wanted = slices.Concat(wanted, settings.Keys(), settings.Variables(), []string{"log_level", program.LogVariable})
	for _, word := range wanted {
		if !slices.Contains(words, word) {
			t.Errorf("the help does not name %q", word)
		}
	}
	if strings.Contains(out.String(), "//\t") || strings.Contains(out.String(), "package main") {
		t.Errorf("the help shows source text:\n%s", out.String())
	}
	testkit.Golden(t, "testdata/help.txt", out.Bytes())
}

// The manual page has each key and variable, as the help has.
func TestTheManualPageIsGenerated(t *testing.T) {
	dir := t.TempDir()
	if err := run(t.Context(), []string{"manpage", "--directory", dir}, environment(), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	settings := new(config).Settings()
	testkit.ManualPage(t, filepath.Join(dir, "orchestratord.8"), "orchestratord", append(settings.Keys(), "log_level"), append(settings.Variables(), "LLORCH_UPSTREAM_TOKEN"))
}

// The document for operators is what the program declares.
func TestTheReferenceIsGenerated(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--reference"}, environment(), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	testkit.GoldenPart(t, "../../../deploy/docs/configuration.md", "orchestratord", out.Bytes())
}
