package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// texts are the lines of a check, by level.
func texts(list []checked) string {
	var b strings.Builder
	for _, c := range list {
		b.WriteString(levelNames[c.level] + ": " + c.text + "\n")
	}
	return b.String()
}

// The gateway's unit gives it credentials that a shell beside it does not have. The
// configuration is sound all the same, and what else is wrong with it is still found.
func TestCheckInAShellWithoutTheUnitsCredentials(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	temp := filepath.Join(dir, "temp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temp)
	t.Setenv(credentialsDirectory, "")
	const site = "http://127.0.0.1:8080 {\n\tbind 127.0.0.1\n\tauthmin edge {\n\t\trequire infer /*\n\t\tupstream_token credential:upstream_token\n\t}\n\treverse_proxy 127.0.0.1:8081\n}\n"
	head := "{\n" + quiet + "\tauthmin {\n\t\ttoken ci credential:ci infer\n\t}\n}\n"
	for name, c := range map[string]struct{ text, want string }{
		"sound":              {head + site, ""},
		"an unsound one too": {head + site + "https://x:8443 {\n\tbind 127.0.0.1\n\ttls /nowhere/cert /nowhere/key\n\trespond ok\n}\n", "error: it does not start: "},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, file, c.text, 0o600)
			list, err := check(file, quietHost(t, nil))
			if err != nil {
				t.Fatal(err)
			}
			got := texts(list)
			if strings.Contains(got, "error: ") != (c.want != "") || !strings.Contains(got, c.want) {
				t.Errorf("want errors %q, got:\n%s", c.want, got)
			}
			for _, what := range []string{"token ci", "upstream_token of guard edge"} {
				if !strings.Contains(got, "note: "+what+": systemd's credentials are not in this environment") {
					t.Errorf("no note for %s in:\n%s", what, got)
				}
			}
			if left, err := filepath.Glob(filepath.Join(temp, "llorch-check-*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if os.Getenv(credentialsDirectory) != "" {
				t.Error("CREDENTIALS_DIRECTORY is still set")
			}
		})
	}
}

// A shipped scope that no token holds yet is worth a warning where others come in, and
// an error where nothing can come in at all.
func TestAScopeThatNoTokenHasYetIsAWarning(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Caddyfile")
	head := "{\n" + quiet + "\tauthmin {\n\t\ttoken ci {env.NOT_SET_HERE} infer\n\t}\n}\nhttp://127.0.0.1:8080 {\n\tbind 127.0.0.1\n\tauthmin edge {\n"
	for name, c := range map[string]struct{ rules, want string }{
		"beside one that is held": {"require infer /v1/*\nrequire metrics /metrics\n", "warning"},
		"alone":                   {"require metrics /metrics\n", "error"},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, file, head+c.rules+"}\n\treverse_proxy 127.0.0.1:8081\n}\n", 0o600)
			list, err := check(file, quietHost(t, nil))
			if err != nil {
				t.Fatal(err)
			}
			if got := texts(list); !strings.Contains(got, c.want+": guard edge: no token holds scope metrics") {
				t.Errorf("want %s, got:\n%s", c.want, got)
			}
		})
	}
}

// A misspelled method in a deny leaves open what it was to close.
func TestLintFindsMisspelledMethods(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Caddyfile")
	for method, meant := range map[string]string{
		"PSOT": "POST", "DELTE": "DELETE", "GETT": "GET", "OPTION": "OPTIONS", "PATH": "PATCH",
		"POST": "", "PROPFIND": "", "LIST": "", "PURGE": "", "COPY": "", "MOVE": "", "LOCK": "", "MKCOL": "", "QUERY": "", "TRACE": "", "CONNECT": "",
	} {
		writeFile(t, file, "{\n"+quiet+"}\nhttp://127.0.0.1:8080 {\n\tbind 127.0.0.1\n\tauthmin edge {\n\t\tdeny "+method+" /v1/files\n\t\tpublic /v1/files\n\t}\n\treverse_proxy 127.0.0.1:8081\n}\n", 0o600)
		findings, err := lint(file)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for _, f := range findings {
			if strings.Contains(f.text, "no common method") {
				got = f.text
			}
		}
		if (got != "") != (meant != "") || !strings.Contains(got, meant) {
			t.Errorf("%s: want a warning that names %q, got %q", method, meant, got)
		}
	}
}

// The remedy for a keyring that is not there yet is the command that makes it.
func TestCheckSaysHowToMakeAKeyring(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	writeFile(t, file, "{\n"+quiet+"\tauthmin {\n\t\ttoken_file "+dir+"/tokens\n\t}\n}\nhttp://127.0.0.1:8080 {\n\tbind 127.0.0.1\n\tauthmin edge {\n\t\trequire infer /v1/*\n\t}\n\treverse_proxy 127.0.0.1:8081\n}\n", 0o600)
	list, err := check(file, quietHost(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := texts(list), "authmin token new NAME SCOPE... --file "+dir+"/tokens"; !strings.Contains(got, want) {
		t.Errorf("want %q, got:\n%s", want, got)
	}
}

// The shell's PWD is a directory and no password: paths in errors stay readable.
func TestErrorsShowPathsBelowTheShellsDirectory(t *testing.T) {
	t.Setenv("PWD", "/srv/llorch-gateway")
	t.Setenv("DB_PWD", "canary-password-of-a-database")
	got := withoutExpanded(&os.PathError{Op: "open", Path: "/srv/llorch-gateway/tokens canary-password-of-a-database", Err: os.ErrNotExist}, nil)
	if want := "open /srv/llorch-gateway/tokens [redacted]: file does not exist"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
