package cli

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
)

// chainKey is the key of these tests' chains.
var chainKey = authmin.NewSecret("canary-chain-0123456789abcdefghijklmnop")

// chainKeyFile writes it.
func chainKeyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	writeFile(t, path, chainKey.Reveal()+"\n", 0o600)
	return path
}

// chainedLines are the lines of a chain of 12: opened, records 1 to 10, closed.
func chainedLines(t *testing.T) (path string, lines []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit")
	sink := trail.NewFile(path, chainKey, trail.Options{})
	if err := sink.Start(); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 10; n++ {
		if err := sink.Put(trail.Record{Line: fmt.Appendf(nil, `{"event":"auth_success","k":%d}`, n), Wait: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := sink.Stop(); err != nil {
		t.Fatal(err)
	}
	lines = strings.SplitAfter(readFile(t, path), "\n")
	return path, lines[:len(lines)-1]
}

func runAudit(args ...string) (stdout, stderr string, err error) {
	cmd := auditCommand()
	var out, errs bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(args)
	cmd.SilenceErrors = true
	err = cmd.Execute()
	return out.String(), errs.String(), err
}

func TestAuditVerifySaysWhatItFound(t *testing.T) {
	path, lines := chainedLines(t)
	key := chainKeyFile(t)
	out, errs, err := runAudit("verify", path, "--key", key)
	if err != nil || out != "intact: 12 records, 1 to 12, in 1 files\n" || errs != "" {
		t.Errorf("got %q, %q, %v", out, errs, err)
	}
	writeFile(t, path, strings.Join(append(lines[:3:3], lines[4:]...), ""), 0o600)
	out, errs, err = runAudit("verify", "--key", key, path)
	if err == nil || out != "" || !strings.HasSuffix(err.Error(), "audit:4: record 5: deleted: records 4 to 4 are missing before it") {
		t.Errorf("got %q, %q, %v", out, errs, err)
	}
}

func TestAuditVerifyRefusesWithoutLeaking(t *testing.T) {
	path, _ := chainedLines(t)
	for name, args := range map[string][]string{
		"no key":        {"verify", path},
		"no file":       {"verify", "--key", chainKeyFile(t)},
		"nothing":       {"verify"},
		"a missing key": {"verify", path, "--key", path + ".none"},
		"key as text":   {"verify", path, "--key", "canary-plain-0123456789abcdefghijklmnop"},
		"a missing one": {"verify", path + ".none", "--key", chainKeyFile(t)},
		"a directory":   {"verify", t.TempDir(), "--key", chainKeyFile(t)},
		"a device":      {"verify", "/dev/zero", "--key", chainKeyFile(t)},
	} {
		out, errs, err := runAudit(args...)
		if err == nil || strings.Contains(out, "intact") {
			t.Errorf("%s: got %q, %v", name, out, err)
			continue
		}
		expectNoToken(t, out+errs+err.Error())
	}
}

func TestAuditVerifyHelpNamesTheForgeryRisk(t *testing.T) {
	out, _, err := runAudit("verify", "--help")
	if err != nil || !strings.Contains(out, "A holder of the key can forge") {
		t.Errorf("got %q, %v", out, err)
	}
}

// A key is named by a relative path as well as by a whole one.
func TestAuditVerifyTakesARelativeKey(t *testing.T) {
	path, _ := chainedLines(t)
	key := chainKeyFile(t)
	t.Chdir(filepath.Dir(key))
	out, errs, err := runAudit("verify", path, "--key", filepath.Base(key))
	if err != nil || !strings.Contains(out, "intact") {
		t.Errorf("got %q, %q, %v", out, errs, err)
	}
}
