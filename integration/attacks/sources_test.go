package attacks_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A badFile makes a file that no token can be read from, and returns its path.
type badFile func(*testing.T) string

func missingFile(t *testing.T) string { return filepath.Join(t.TempDir(), "missing") }
func emptyFile(t *testing.T) string   { return writeFile(t, "token", "") }
func blankFile(t *testing.T) string   { return writeFile(t, "token", " \n\n") }

// refusesToken wants the refusal to name the file, as the source of one token
// and as a keyring.
func refusesToken(file badFile) func(*testing.T) {
	return func(t *testing.T) {
		path := file(t)
		for _, source := range []string{"token ci {file." + path + "} infer", "token_file " + path} {
			s := onLoopback
			s.authmin = source
			mustRefuse(t, s, []string{path})
		}
	}
}

// strangeTokenFiles are refused at once, whatever reading them would do.
func strangeTokenFiles(t *testing.T) {
	dir := t.TempDir()
	fifo, loop, huge := filepath.Join(dir, "fifo"), filepath.Join(dir, "loop"), filepath.Join(dir, "huge")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<30); err != nil { // sparse: it takes no room
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a FIFO": fifo, "a folder": dir, "a device": "/dev/zero", "a link to itself": loop, "1 GiB": huge,
	} {
		t.Run(name, refusesToken(func(*testing.T) string { return path }))
	}
}

func tokenFileEndings(t *testing.T) {
	upstream := startEcho(t)
	for name, content := range map[string]string{
		"a newline": tokenOK + "\n",
		"CRLF":      tokenOK + "\r\n",
		"no ending": tokenOK,
	} {
		t.Run(name, func(t *testing.T) {
			s := onLoopback
			s.authmin = "token ci {file." + writeFile(t, "token", content) + "} infer"
			address, _ := s.start(t, upstream.address())
			mustAnswer(t, 200, address, "GET", "/v1/models", bearer(tokenOK))
			mustAnswer(t, 401, address, "GET", "/v1/models", bearer(tokenBad))
		})
	}
	t.Run("a byte order mark", refusesToken(func(t *testing.T) string {
		return writeFile(t, "token", "\ufeff"+tokenOK+"\n")
	}))
}

func doubledTokens(t *testing.T) {
	env := []string{"A=" + tokenOK, "B=" + tokenAdmin}
	for name, lines := range map[string]string{
		"one name, two tokens": "token ci {env.A} infer\ntoken ci {env.B} infer",
		"one token, two names": "token ci {env.A} infer\ntoken ops {env.A} admin",
		"one token, two sources": "token ci {env.A} infer\ntoken_file " +
			writeFile(t, "tokens", keyring(keyringLine("ops", tokenOK, "admin"))),
		"one token twice in a file": "token_file " +
			writeFile(t, "tokens", keyring(keyringLine("ci", tokenOK, "infer"), keyringLine("ops", tokenOK, "admin"))),
	} {
		t.Run(name, func(t *testing.T) {
			s := onLoopback
			s.authmin = lines
			out, ok := s.validate(t, env...)
			if ok {
				t.Errorf("accepted:\n%s", out)
			}
			if strings.Contains(out, tokenOK) || strings.Contains(out, tokenAdmin) {
				t.Errorf("the refusal shows a token:\n%s", out)
			}
		})
	}
	t.Run("two tokens, two names", func(t *testing.T) {
		s := onLoopback
		s.authmin = "token ci {env.A} infer\ntoken ops {env.B} admin"
		mustAccept(t, s, env...)
	})
}

func unknownDirectives(t *testing.T) {
	for name, change := range map[string]func(*site){
		"in the guard":        func(s *site) { s.guard = "requre infer /v2/*\n" },
		"in the global block": func(s *site) { s.authmin += "\ntokn ci {env.A}" },
		"a method's case":     func(s *site) { s.guard = "require infer get /v2/*\n" },
		"a path's slash":      func(s *site) { s.guard = "require infer v2/*\n" },
		"a plain token":       func(s *site) { s.authmin += "\ntoken ci " + tokenOK },
		"an expanded token":   func(s *site) { s.authmin += "\ntoken ci {$A}" },
		"a weak token":        func(s *site) { s.authmin += "\ntoken ci {env.WEAK}" },
		"a second block":      func(s *site) { s.authmin += "\n}\nauthmin {\n" },
	} {
		t.Run(name, func(t *testing.T) {
			s := onLoopback
			change(&s)
			out, ok := s.validate(t, "A="+tokenOK, "WEAK=hunter2hunter2")
			if ok {
				t.Errorf("accepted:\n%s", out)
			}
			if !strings.Contains(out, "Caddyfile:") && !strings.Contains(out, "WEAK") {
				t.Errorf("the refusal names no place:\n%s", out)
			}
			if strings.Contains(out, tokenOK) || strings.Contains(out, "hunter2") {
				t.Errorf("the refusal shows a token:\n%s", out)
			}
		})
	}
}

func tokenNamesAreChecked(t *testing.T) {
	for _, name := range []string{"\"a\\nb\\\"} 1\"", "Upper", "localhost", "anonymous", strings.Repeat("x", 65), "a.b", strings.TrimPrefix(tokenOK, "amt_")} {
		s := onLoopback
		s.authmin = "token " + name + " {env.A} infer"
		if out, ok := s.validate(t, "A="+tokenOK); ok {
			t.Errorf("the name %s is accepted:\n%s", name, out)
		}
	}
	s := onLoopback
	s.authmin = "token " + strings.Repeat("x", 64) + " {env.A} infer"
	mustAccept(t, s, "A="+tokenOK)
}
