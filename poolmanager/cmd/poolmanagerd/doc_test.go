package main

import (
	"bytes"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestEveryKeyIsDocumented holds the documentation against the structs that the
// file is decoded into, and against the variables that are looked up.
func TestEveryKeyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, word := range regexp.MustCompile(`[A-Za-z_]+`).FindAllString(string(text), -1) {
		words[word] = true
	}
	keys := 0
	for _, of := range []reflect.Type{reflect.TypeFor[file](), reflect.TypeFor[template](), reflect.TypeFor[preload]()} {
		for field := range of.NumField() {
			keys++
			if key := of.Field(field).Tag.Get("yaml"); !words[key] {
				t.Errorf("%s of %s is not in doc.go", key, of.Name())
			}
		}
	}
	asked := map[string]bool{}
	lookup := func(name string) (string, bool) {
		asked[name] = true
		return "", false
	}
	if _, _, err := load("", lookup); err != nil {
		t.Fatal(err)
	}
	for name := range asked {
		if base := strings.TrimSuffix(name, "_FILE"); !words[base] && base != "RUNTIME_DIRECTORY" && base != "XDG_RUNTIME_DIR" {
			t.Errorf("the variable %s is not in doc.go", name)
		}
	}
	if keys < 30 || len(asked) < 12 {
		t.Errorf("only %d keys and %d variables", keys, len(asked))
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
