package caddymodule

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

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
	if err != nil || out != "whole: 12 records, 1 to 12, in 1 files\n" || errs != "" {
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
		if err == nil || strings.Contains(out, "whole") {
			t.Errorf("%s: got %q, %v", name, out, err)
			continue
		}
		expectNoToken(t, out+errs+err.Error())
	}
}

func TestAuditVerifySaysWhoCanForge(t *testing.T) {
	out, _, err := runAudit("verify", "--help")
	if err != nil || !strings.Contains(out, "Whoever holds the key can forge") {
		t.Errorf("got %q, %v", out, err)
	}
}

// A key is named by a relative path as well as by a whole one.
func TestAuditVerifyTakesARelativeKey(t *testing.T) {
	path, _ := chainedLines(t)
	key := chainKeyFile(t)
	t.Chdir(filepath.Dir(key))
	out, errs, err := runAudit("verify", path, "--key", filepath.Base(key))
	if err != nil || !strings.Contains(out, "whole") {
		t.Errorf("got %q, %q, %v", out, errs, err)
	}
}
