package houserules_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// vulnerablePatience bounds one run of .ci/govulncheck, the compiling of the tool
// included.
const vulnerablePatience = 3 * time.Minute

// vulnerableProgram calls the function that the databases of this test are about.
const vulnerableProgram = "package main\n\nimport \"golang.org/x/time/rate\"\n\nfunc main() { rate.NewLimiter(1, 1).Allow() }\n"

// databaseDate is the day that the databases of this test are of.
const databaseDate = "2026-02-03T04:05:06Z"

// TestGovulncheckReadsTheDatabaseOfGOVULNDB: a vulnerability in the version that is
// used is found, one that it has fixed is not, the database's date is printed, and a
// folder that is no database is no green run.
func TestGovulncheckReadsTheDatabaseOfGOVULNDB(t *testing.T) {
	module, version := vulnerableModule(t)
	whole := vulnerabilityDatabase
	without := func(name string) map[string]string {
		files := vulnerabilityDatabase("0.0.1")
		delete(files, name)
		return files
	}
	cases := []struct {
		name  string
		files map[string]string
		code  int
		says  string
	}{
		{"used version is vulnerable", whole("999.0.0"), 3, "GO-2026-0001"},
		{"used version has the fix", whole(version), 0, "the database is of 2026-02-03"},
		{"empty folder", nil, 1, "there is no index/db.json"},
		{"without date", without("index/db.json"), 1, "there is no index/db.json"},
		{"without index", without("index/modules.json"), 1, "there is no index/modules.json"},
		{"index of nothing", map[string]string{
			"index/db.json": whole("")["index/db.json"], "index/modules.json": "[]",
		}, 1, "does not list stdlib"},
		{"date is a word", map[string]string{
			"index/db.json": `{"modified":"today"}`, "index/modules.json": whole("")["index/modules.json"],
		}, 1, "no date"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			for name, text := range c.files {
				writeFile(t, filepath.Join(folder, name), text)
			}
			code, out := govulncheck(t, "file://"+folder, "-C", module, ".")
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("exit code %d, want %d and %q in:\n%s", code, c.code, c.says, out)
			}
		})
	}
}

// TestGovulncheckRefusesOtherDatabases: what is no URL, and a server that is not there.
func TestGovulncheckRefusesOtherDatabases(t *testing.T) {
	for _, db := range []string{"/srv/vulndb", "file://relative", "ftp://127.0.0.1/", "http://127.0.0.1:1"} {
		// An address that GOVULNDB names and that does not answer is no reason to leave the check out.
		if code, out := govulncheck(t, db, "."); code == 0 || code == 75 {
			t.Errorf("GOVULNDB=%s: exit code %d, want a failure\n%s", db, code, out)
		}
	}
}

// vulnerableModule writes a module that uses golang.org/x/time as this one does, and
// returns its folder and that version.
func vulnerableModule(t *testing.T) (folder, version string) {
	t.Helper()
	requires, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root(t), "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^\tgolang\.org/x/time (v\S+)$`).FindSubmatch(requires)
	if m == nil {
		t.Fatal("go.mod requires no golang.org/x/time")
	}
	folder = t.TempDir()
	writeFile(t, filepath.Join(folder, "go.mod"), "module example.com/fixture\n\ngo 1.26.0\n\nrequire golang.org/x/time "+string(m[1])+"\n")
	writeFile(t, filepath.Join(folder, "go.sum"), string(sums))
	writeFile(t, filepath.Join(folder, "main.go"), vulnerableProgram)
	return folder, strings.TrimPrefix(string(m[1]), "v")
}

// vulnerabilityDatabase has one entry, for golang.org/x/time before the version fixed,
// in the form of https://go.dev/security/vuln/database.
func vulnerabilityDatabase(fixed string) map[string]string {
	return map[string]string{
		"index/db.json": fmt.Sprintf(`{"modified":%q}`, databaseDate),
		"index/modules.json": fmt.Sprintf(`[{"path":"golang.org/x/time","vulns":[{"id":"GO-2026-0001","modified":%q,"fixed":%q}]},`+
			`{"path":"stdlib","vulns":[]}]`, databaseDate, fixed),
		"ID/GO-2026-0001.json": fmt.Sprintf(`{"schema_version":"1.3.1","id":"GO-2026-0001","modified":%q,"published":%[1]q,`+
			`"summary":"made by a test","details":"made by a test","affected":[{"package":{"name":"golang.org/x/time","ecosystem":"Go"},`+
			`"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":%q}]}],`+
			`"ecosystem_specific":{"imports":[{"path":"golang.org/x/time/rate","symbols":["NewLimiter"]}]}}],`+
			`"database_specific":{"url":"https://pkg.go.dev/vuln/GO-2026-0001","review_status":"REVIEWED"}}`, databaseDate, fixed),
	}
}

func govulncheck(t *testing.T, db string, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), vulnerablePatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root(t), ".ci", "govulncheck"), args...)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "GOVULNDB="+db)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := cmd.Run(); ctx.Err() != nil {
		t.Fatalf("no end after %v: %v\n%s", vulnerablePatience, err, &text)
	}
	return cmd.ProcessState.ExitCode(), text.String()
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
