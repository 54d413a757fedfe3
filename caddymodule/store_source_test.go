package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What a single token may be read from, and what is refused: always by the name
// of the source, never by the value.
func TestTokenSources(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for name, content := range map[string]string{
		"good": tokenInfer + "\n", "short": "canary-plain", "empty": "", "blank": " \n", "unresolved": "{env.canary-plain-0123456789abcdefghij}",
		"two_lines": tokenInfer + "\n" + tokenAdmin + "\n", "spaced": tokenInfer + " ",
	} {
		writeFile(t, filepath.Join(dir, name), content, 0o600)
	}
	writeFile(t, filepath.Join(dir, "writable"), tokenInfer, 0o666)
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "loop"), filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEST_SHORT", "canary-plain")
	t.Setenv("TEST_EMPTY", "")
	t.Setenv("TEST_BLANK", "   ")
	t.Setenv("TEST_HOLDER_FILE", filepath.Join(dir, "good"))
	for source, want := range map[string]string{
		"{env.TEST_INFER}":              "",
		"{env.TEST_SHORT}":              "TEST_SHORT: unusable token: 12 characters are fewer than 32",
		"{env.TEST_EMPTY}":              "TEST_EMPTY: unusable token: it is empty",
		"{env.TEST_BLANK}":              "TEST_BLANK: unusable token: it is empty",
		"{env.TEST_NOT_SET}":            "the environment variable TEST_NOT_SET is not set",
		"{env.TEST_HOLDER}":             "the environment variable TEST_HOLDER is not set",
		"{file." + dir + "/good}":       "",
		"{file." + dir + "/short}":      "short: unusable token: 12 characters are fewer than 32",
		"{file." + dir + "/empty}":      "empty: unusable token: it is empty",
		"{file." + dir + "/blank}":      "blank: unusable token: it is empty",
		"{file." + dir + "/unresolved}": "unresolved: unusable token: it looks like an unresolved placeholder",
		"{file." + dir + "/two_lines}":  "two_lines: unusable token: it holds a character",
		"{file." + dir + "/spaced}":     "spaced: unusable token: it holds a character",
		"{file." + dir + "/missing}":    "no such file",
		"{file." + dir + "/fifo}":       "is not a regular file",
		"{file." + dir + "/loop}":       "too many levels of symbolic links",
		"{file." + dir + "}":            "is not a regular file",
		"{file." + dir + "/writable}":   "is open to others (mode 0666)",
		"credential:good":               "",
		"credential:missing":            "no such file",
		"credential:short":              "12 characters are fewer than 32",
	} {
		t.Run(strings.ReplaceAll(source, dir, "DIR"), func(t *testing.T) {
			for option, config := range map[string]string{
				"token":          options(silent, "\tauthmin {\n\t\ttoken ci "+source+" infer\n\t}\n") + "http://x:8080 {\n\tauthmin {\n\t\tplaintext\n\t}\n}\n",
				"upstream_token": options(silent, "\tauthmin {\n\t\ttoken boss {env.TEST_ADMIN} admin\n\t}\n") + "http://x:8080 {\n\tauthmin {\n\t\tplaintext\n\t\tupstream_token " + source + "\n\t}\n}\n",
			} {
				err := validate(t, config)
				if want != "" {
					expectRefused(t, err, want, option)
				} else if err != nil {
					t.Errorf("%s: %v", option, err)
				}
			}
		})
	}
}

func TestCredentialWithoutADirectory(t *testing.T) {
	config := options(silent, "\tauthmin {\n\t\ttoken ci credential:ci infer\n\t}\n") + "http://x:8080 {\n\tauthmin\n}\n"
	for _, dir := range []string{"", "relative"} {
		t.Setenv("CREDENTIALS_DIRECTORY", dir)
		expectRefused(t, validate(t, config), "CREDENTIALS_DIRECTORY is not set", "LoadCredential=ci:PATH")
	}
}

// Settings that only a JSON configuration can have are checked too.
func TestSettingsInJSON(t *testing.T) {
	for config, want := range map[string]string{
		`{"tokens":[{"name":"default","source":"{env.TEST_INFER}","scopes":["infer"]}]}`:                                                       "reserved",
		`{"tokens":[{"name":"a","source":"` + tokenInfer + `","scopes":["infer"]}]}`:                                                           "want {env.NAME}",
		`{"tokens":[{"name":"a","source":"{env.TEST_INFER}"}]}`:                                                                                "has no scope",
		`{"tokens":[{"name":"a","source":"{env.TEST_INFER}","scopes":["infer,admin"]}]}`:                                                       "contains a comma",
		`{"tokens":[{"name":"a","source":"{env.TEST_INFER}","scopes":["Infer"]}]}`:                                                             "is not a scope",
		`{"tokens":[{"name":"a","source":"{env.TEST_INFER}","scopes":["infer"]},{"name":"a","source":"{env.TEST_ADMIN}","scopes":["infer"]}]}`: "two tokens are named a",
		`{"tokens":[{"name":"a","source":"{env.TEST_INFER}","scopes":["infer"]},{"name":"b","source":"{env.TEST_INFER}","scopes":["infer"]}]}`: "are the same token",
		`{"trust_proxy":{"cidrs":["10.0.0.1/32"],"scopes":["infer,admin"]}}`:                                                                   "contains a comma",
		`{"trust_proxy":{"cidrs":[]}}`:              "no network given",
		`{"trust_proxy":{"cidrs":["::/0"]}}`:        "every address",
		`{"optional":"yes"}`:                        "neither true nor false",
		`{"optional":"{env.TEST_INFER_NOT_SET}"}`:   "",
		`{"optional":"{http.request.header.Host}"}`: "optional",
		`{"token_files":["relative"]}`:              "not an absolute path",
		`{"token_file":"/typo"}`:                    "unknown field",
	} {
		err := validateJSON(t, []byte(`{"admin":{"disabled":true},"apps":{"authmin":`+config+`}}`))
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", config, err)
			}
			continue
		}
		expectRefused(t, err, want)
	}
}
