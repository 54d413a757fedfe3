package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/llorch/gateway/integration/testkit"
)

// command runs the command line, and returns what it printed.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := newRoot(append([]string{}, args...), &out, &out).Execute()
	return out.String(), err
}

// The three ways to ask for help show the same: what it is, and our commands first.
func TestHelpShowsOurCommandsFirst(t *testing.T) {
	help, err := command(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		if got, err := command(t, args...); err != nil || got != help {
			t.Errorf("%q: got %v and\n%s\nwant\n%s", args, err, got, help)
		}
	}
	testkit.Golden(t, "testdata/help.txt", []byte(help))
	if before, _, found := strings.Cut(help, "\n  up "); !found || strings.Count(before, "\n") > 10 {
		t.Errorf("up is not among the first lines:\n%s", help)
	}
	for name := range caddycmd.Commands() {
		if !strings.Contains(help, "\n  "+name+" ") && !slices.Contains(replacingCommands, name) {
			t.Errorf("the help does not name %s", name)
		}
	}
}

func TestEachCommandHasItsHelp(t *testing.T) {
	for _, name := range []string{"up", "health", "reload"} {
		long, err := command(t, "help", name)
		short, err2 := command(t, name, "--help")
		if err != nil || err2 != nil || long != short || !strings.Contains(long, "llorch "+name) || !strings.Contains(long, "Flags:") {
			t.Errorf("%s: got %v, %v and\n%s\n%s", name, err, err2, long, short)
		}
	}
}

// Caddy's own updater fetches a build without authmin: the gateway would be gone.
func TestCaddysUpdaterIsRefused(t *testing.T) {
	for _, name := range replacingCommands {
		if _, known := caddycmd.Commands()[name]; !known {
			t.Errorf("Caddy has no command %s", name)
		}
		if isCaddys([]string{name}) {
			t.Errorf("%s runs", name)
		}
		if _, err := command(t, name, "--keep-backup"); err == nil || !strings.Contains(err.Error(), "not available") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, want := range map[string]bool{"reload": true, "run": false, "up": false, "authmin": false, "nosuch": false, "--help": false, "version": false, "completion": false} {
		if isCaddys([]string{name}) != want {
			t.Errorf("%s: Caddy's: want %v", name, want)
		}
	}
}

// A package has completion and manual pages. The pages are the same whenever they are
// made.
func TestCompletionAndManualPages(t *testing.T) {
	dir := t.TempDir()
	if _, err := command(t, "manpage", "--directory", dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"llorch.8", "llorch-up.8", "llorch-authmin-token-new.8"} {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Contains(page, []byte(`.TH "LLORCH" "8" "Jan 1970"`)) {
			t.Errorf("%s: got %v and %.200s", name, err, page)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if script, err := command(t, "completion", shell); err != nil || !strings.Contains(script, "llorch") {
			t.Errorf("%s: got %v", shell, err)
		}
	}
	offered, err := command(t, "__complete", "authmin", "token", "")
	if err != nil || !strings.Contains(offered, "rotate\t") {
		t.Errorf("completion of authmin token: got %v and %s", err, offered)
	}
	if offered, err := command(t, "__complete", "up", "--en"); err != nil || !strings.Contains(offered, "--engine\t") {
		t.Errorf("completion of up --en: got %v and %s", err, offered)
	}
}

func TestVersionNamesCaddyAndGo(t *testing.T) {
	text, err := command(t, "version")
	if err != nil {
		t.Fatal(err)
	}
	if flag, err := command(t, "--version"); err != nil || flag != text {
		t.Errorf("--version: got %v, %q, want %q", err, flag, text)
	}
	for _, want := range []string{"llorch ", "\ncommit ", "\ncaddy v2.", "\ngo go1."} {
		if !strings.Contains(text, want) {
			t.Errorf("got %q, want %q in it", text, want)
		}
	}
}

// Only a terminal gets colors, and none where NO_COLOR is set.
func TestColorIsForTerminals(t *testing.T) {
	if s := styleOf(new(bytes.Buffer)); s.colored || s.title("a") != "a" {
		t.Error("a pipe gets colors")
	}
	if got := (style{colored: true}).title("a"); got != "\x1b[1ma\x1b[0m" {
		t.Errorf("got %q", got)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if isTerminal(null) {
		t.Error("/dev/null is taken for a terminal")
	}
}
