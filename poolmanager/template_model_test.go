package poolmanager

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// hostile is what a request could try in a model reference.
var hostile = []string{
	"", "-m", "--api-key=x", "--api-key", "a b", "a;b", "a|b", "a&b", "$(id)", "`id`", "$HOME", "a\nb", "a\x00b", "a'b", `a"b`, `a\b`,
	"..", "../x", "a/../../etc/passwd", "a/..", "/etc/passwd", "//x", "a//b", "a/./b", "./a", "a/", ".hidden", "a/.ssh", "a/-x",
	"{port}", "a{key_file}", "%2e%2e/x", "a%00", "~root", "~", "C:\\x", "\\\\host\\share", "a*", "a?", "[a]", "a<b", "a>b", "a#b",
	"http://host/x", "ünicode", "a/b/c/d/e/f/g/h", "a\u202eb", strings.Repeat("a", 300),
	"..%2f", "%2e%2e%2fx", "..%5cx", "a/%2e%2e/b", "....//x", "..;/x", "a\rb", "a\tb", "a\x7fb", "a\x1b[31m", "\ufeffa", "\xff\xfe", "a\xc0\xaf",
	"а", "mоdel", "m\u2024gguf", "\uff0e\uff0e\uff0fx", "a\u2215b", "a\u29f8b", "a\u00a0b", "a\u200bb", "\u2013m", "\uff0dm", "e\u0301",
	"/dev/sda", "/proc/self/environ", "a && b", "a || b", "a > b", "a\\\nb", "${IFS}", "{model}", "{key_file}", "{{.}}", "%s%n", "@/etc/passwd",
	"--model=x", "-", "--", "-m x", "+x", "=x", ":a", "a:", "a::b", "a:/b", "a/:b", "file://a", "file:///etc/passwd", "\\\\?\\C:", "CON:", "a|", "nul\x00.gguf",
}

func TestNoHostileReferenceIsAccepted(t *testing.T) {
	root := t.TempDir()
	for _, name := range hostile {
		for _, ref := range []string{name, "file:" + name, "file:file:" + name, "catalog:" + name, "FILE:" + name} {
			for _, takesFile := range []bool{true, false} {
				if got, err := resolveModel(root, takesFile, ref); err == nil {
					t.Errorf("%q (file %v): accepted as %+v", ref, takesFile, got)
				}
			}
		}
	}
}

func TestALinkCannotLeaveTheModelRoot(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"file": filepath.Join(outside, "secret"), "dir": outside, "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"file:file", "file:dir/secret", "file:loop", "file:real", "file:absent"} {
		if _, err := resolveModel(root, true, ref); !errors.Is(err, ErrModelRef) {
			t.Errorf("%s: got %v, want a refusal", ref, err)
		}
	}
}

func TestOrdinaryReferencesPass(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "org"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "org", "m-7B.Q4_K_M.gguf")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := resolveModel(root, true, "file:org/m-7B.Q4_K_M.gguf"); err != nil || got.path != path {
		t.Errorf("got %+v, %v, want %s", got, err, path)
	}
	for _, name := range []string{"llama3.2:1b", "org/model-7B", "hf.co/org/model:Q4", "m@sha256:ab", "demo"} {
		if _, err := resolveModel("", false, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAcceptedReferenceIsOneArgumentThatIsNoFlag(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref := rapid.StringMatching(`[-a-zA-Z0-9./:@+_~$ ]{1,40}`).Draw(t, "ref")
		got, err := resolveModel("", false, ref)
		if err != nil {
			return
		}
		template := Template{Command: []string{"engine", "--model", "{model}", "--port={port}"}}
		args := template.arguments(startValues{port: 1, model: got})
		if len(args) != 4 || args[2] != ref || strings.HasPrefix(args[2], "-") || strings.Contains(ref, "..") || strings.ContainsAny(ref, "$ ~") {
			t.Fatalf("%q became %q", ref, args)
		}
	})
}
