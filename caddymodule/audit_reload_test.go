package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/caddymodule/trail"
	"github.com/llorch/gateway/integration/testkit"
	"go.uber.org/goleak"
)

// caddysOwn are goroutines that Caddy's log file and its certificate storage leave
// behind.
var caddysOwn = []goleak.Option{
	goleak.IgnoreTopFunction("github.com/DeRuina/timberjack.(*Logger).millRun"),
	goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
}

// expectReleased checks that every sink has been released.
func expectReleased(t *testing.T) {
	t.Helper()
	auditSinks.Range(func(key, _ any) bool {
		n, _ := auditSinks.References(key)
		t.Errorf("sink %v is held %d times", key, n)
		return true
	})
}

// Two configurations write one file for a moment: by one writer, in one chain.
func TestAReloadKeepsOneChain(t *testing.T) {
	before := goleak.IgnoreCurrent()
	path := filepath.Join(t.TempDir(), "audit")
	globals := auditing("audit file "+path+" {\nchain "+chainKeyFile(t)+"\nrequired\n}", "audit stderr", "audit caddy")
	g := serve(t, false, globals, guarded+"respond 0")
	const reloads, each = 5, 10
	for range reloads {
		for range each {
			if got := statusOf(t, g, "/v1/x", asUser); got != 200 {
				t.Fatalf("got %d", got)
			}
		}
		g.load(t, globals, guarded+"respond ok")
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	expectReleased(t)
	report := expectWhole(t, path)
	if len(report.Notices) != 0 {
		t.Errorf("got notices %q", report.Notices)
	}
	decisions := 0
	for _, record := range auditLines(t, path) {
		if record["event"] == eventAllowed {
			decisions++
		}
	}
	if decisions != reloads*each {
		t.Errorf("%d records of %d requests", decisions, reloads*each)
	}
	goleak.VerifyNone(t, append(caddysOwn, before)...)
}

func TestAMissingChainKeySaysHowItIsMade(t *testing.T) {
	dir := t.TempDir()
	g := serve(t, false, auditing("audit stderr"), guarded+"respond ok")
	for _, want := range []string{"no such file", "openssl rand -hex 32 > " + filepath.Join(dir, "none")} {
		expectRefused(t, g.tryLoad(t, auditing("audit file "+filepath.Join(dir, "audit")+" {\nchain "+filepath.Join(dir, "none")+"\n}"), guarded+"respond ok"), want)
	}
}

func TestTheKeyOfAFileInUseCannotChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	g := serve(t, false, auditing("audit file "+path+" {\nchain "+chainKeyFile(t)+"\n}"), guarded+"respond ok")
	other := filepath.Join(t.TempDir(), "other")
	writeFile(t, other, "canary-plain-0123456789abcdefghijklmnop", 0o600)
	for _, sink := range []string{"audit file " + path, "audit file " + path + " {\nchain " + other + "\n}"} {
		expectRefused(t, g.tryLoad(t, auditing(sink), guarded+"respond ok"), "another chain key")
	}
	if got := statusOf(t, g, "/v1/x", asUser); got != 200 {
		t.Errorf("after the refused reloads: got %d", got)
	}
	if n, _ := auditSinks.References("file " + path); n != 1 {
		t.Errorf("the sink is held %d times, want once", n)
	}
}

// `validate` writes nothing, and finds what a start would.
func TestValidateLeavesNoFile(t *testing.T) {
	before := goleak.IgnoreCurrent()
	dir := t.TempDir()
	path, key := filepath.Join(dir, "audit"), chainKeyFile(t)
	weak, open := filepath.Join(t.TempDir(), "weak"), filepath.Join(t.TempDir(), "open")
	writeFile(t, weak, "canary-plain", 0o600)
	writeFile(t, open, "canary-plain-0123456789abcdefghijklmnop", 0o666)
	site := ":8080 {\nbind 127.0.0.1\n" + guarded + "respond ok\n}\n"
	config := func(lines ...string) string { return options(silent, auditing(lines...)) + "http://" + site }
	good := "audit file " + path + " {\nchain " + key + "\nrequired\n}"
	if err := validate(t, config(good, "audit syslog tcp 127.0.0.1:9", "audit stderr")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ audit, want string }{
		{"audit file " + dir + "/no/audit", "there is no directory"},
		{"audit file " + dir, "is a directory"},
		{"audit file /dev/null", "not a regular file"},
		{"audit file /dev/full {\nchain " + key + "\n}", "not a regular file"},
		{"audit file " + path + " {\nchain " + dir + "/nokey\n}", "no such file"},
		{"audit file " + path + " {\nchain " + weak + "\n}", "fewer than 32"},
		{"audit file " + path + " {\nchain " + open + "\n}", "open to others"},
		{"audit file " + path + " {\nchain /dev/zero\n}", "not a regular file"},
	} {
		expectRefused(t, validate(t, config("audit stderr", c.audit)), c.want)
		expectReleased(t)
	}
	// What is refused after the sinks were taken gives them back too.
	broken := strings.Replace(config(good), "{env.TEST_INFER}", "{env.TEST_NOTHING}", 1)
	expectRefused(t, validate(t, broken), "TEST_NOTHING")
	expectReleased(t)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 0 {
		t.Errorf("validate has left %v (%v)", files, err)
	}
	writeFile(t, path, "{}\n", 0o640)
	if err := validate(t, config("audit file "+path)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 || contentOf(t, path) != "{}\n" {
		t.Errorf("validate has changed the file: %v, %q", info.Mode(), contentOf(t, path))
	}
	goleak.VerifyNone(t, append(caddysOwn, before)...)
}

// A start that fails after the sinks were opened closes them.
func TestAFailedStartClosesItsSinks(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	holder := trail.NewFile(second, chainKey, trail.Options{}) // another gateway
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	g := &gateway{site: "http://" + testkit.FreeAddress(t), log: filepath.Join(dir, "log")}
	before := goleak.IgnoreCurrent()
	expectRefused(t, g.tryLoad(t, auditing("audit file "+first, "audit file "+second), guarded+"respond ok"), "written by another process")
	expectReleased(t)
	goleak.VerifyNone(t, append(caddysOwn, before)...)
	if err := holder.Stop(); err != nil {
		t.Error(err)
	}
}
