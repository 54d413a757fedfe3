package usage

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// The pairs are answers that engines have sent: of llama.cpp, vLLM, SGLang and Ollama, with
// version and source. Those with figures say what they are.
func TestAnswersOfEngines(t *testing.T) {
	files, err := filepath.Glob("../../integration/clients/testdata/pairs/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head := map[string]string{}
		for line := range strings.Lines(string(archive.Comment)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			head[name] = value
		}
		var answer string
		for _, f := range archive.Files {
			if f.Name == "answered" {
				answer = string(f.Data)
			}
		}
		for size := 1; size < len(answer); size += 1 + size/4 {
			f, seen := read(head["type"], answer, size)
			got := fmt.Sprintf("%d in, %d out, %d cached, %d reasoning", f.Input, f.Output, f.Cached, f.Reasoning)
			if want := head["figures"]; want != "" && (got != want || !f.Reported || f.Model == "") {
				t.Errorf("%s in pieces of %d: got %s, reported %v of %q, want %s", filepath.Base(file), size, got, f.Reported, f.Model, want)
				break
			}
			if seen > f.Output && f.Reported {
				t.Errorf("%s: seen are %d tokens, reported %d", filepath.Base(file), seen, f.Output)
			}
		}
		if head["figures"] != "" {
			compared++
		}
	}
	if compared < 15 {
		t.Errorf("only %d answers have figures", compared)
	}
}
