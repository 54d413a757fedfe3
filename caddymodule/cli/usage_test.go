package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/caddymodule/trail"
)

// call is a record of a call as the gateway writes it.
func call(when, token, model string, in, out int, outcome string) string {
	return fmt.Sprintf(`{"time":"%s","level":"INFO","seq":1,"event":"usage","guard":"api","identity":"token:abcdef","token":"%s","fp6":"abcdef","model":"%s","model_answered":"answered",`+
		`"tokens_in":%d,"tokens_out":%d,"tokens_cached":1,"tokens_reasoning":2,"ttft_ms":3,"duration_ms":4,"outcome":"%s","estimated":%v,"status":200,"correlation_id":"c"}`,
		when, token, model, in, out, outcome, outcome != "complete")
}

var calls = []string{
	call("2027-01-30T23:59:59Z", "ann", "small", 10, 1, "complete"), call("2027-01-31T00:00:00Z", "ann", "small", 20, 2, "complete"), call("2027-01-31T00:00:01Z", "ann", "big", 30, 3, "aborted"),
	`{"time":"2027-01-31T00:00:01Z","event":"auth_success","path":"/\"event\":\"usage\""}`, call("2027-01-31T00:00:02Z", "bob", "", 40, 4, "unreported"),
}

// auditFiles are a chained file and the one that continues its chain.
func auditFiles(t *testing.T) (old, current string) {
	t.Helper()
	current = filepath.Join(t.TempDir(), "audit")
	old = current + ".1"
	for i, part := range [][]string{calls[:2], calls[2:]} {
		sink := trail.NewFile(current, chainKey, trail.Options{})
		if err := sink.Start(); err != nil {
			t.Fatal(err)
		}
		for _, line := range part {
			if err := sink.Put(trail.Record{Line: []byte(line), Wait: true}); err != nil {
				t.Fatal(err)
			}
		}
		if err := sink.Stop(); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := os.Rename(current, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	return old, current
}

func runUsage(args ...string) (stdout, stderr string, err error) {
	cmd := usageCommand()
	var out, errs bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(args)
	cmd.SilenceErrors = true
	err = cmd.Execute()
	return out.String(), errs.String(), err
}

func TestUsageAddsUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	writeFile(t, path, strings.Join(calls, "\n")+"\n", 0o600)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a table": {nil, `
identity  model     calls  tokens_in  tokens_out  tokens_cached  tokens_reasoning  estimated  aborted  unreported
ann       big       1      30         3           1              2                 1          1        0
ann       small     2      30         3           2              4                 0          0        0
bob       answered  1      40         4           1              2                 1          0        1
total               4      100        10          4              8                 2          1        1
`},
		"by day, in CSV": {[]string{"--by", "day", "--csv"}, `
day,calls,tokens_in,tokens_out,tokens_cached,tokens_reasoning,estimated,aborted,unreported
2027-01-30,1,10,1,1,2,0,0,0
2027-01-31,3,90,9,3,6,2,1,1
`},
		"since a day, in JSON": {[]string{"--since", "2027-01-31", "--by", "identity", "--json"}, `
[
  {
    "identity": "ann",
    "calls": 2,
    "tokens_in": 50,
    "tokens_out": 5,
    "tokens_cached": 2,
    "tokens_reasoning": 4,
    "estimated": 1,
    "aborted": 1,
    "unreported": 0
  },
  {
    "identity": "bob",
    "calls": 1,
    "tokens_in": 40,
    "tokens_out": 4,
    "tokens_cached": 1,
    "tokens_reasoning": 2,
    "estimated": 1,
    "aborted": 0,
    "unreported": 1
  }
]
`},
		"none": {[]string{"--since", "2028-01-01T00:00:00Z", "--json"}, "\n[]\n"},
	} {
		out, errs, err := runUsage(append(c.args, path)...)
		if err != nil || errs != "" || out != c.want[1:] {
			t.Errorf("%s: %v, %q\n%s", name, err, errs, out)
		}
	}
}

// Caddy's log has other fields around those of a record.
func TestUsageReadsCaddysLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	line := strings.Replace(calls[0], `"time":"2027-01-30T23:59:59Z",`, `"level":"info","ts":1801353599.5,"logger":"authmin.audit","msg":"usage",`, 1)
	writeFile(t, path, "{\"level\":\"info\",\"msg\":\"serving\"}\n"+line+"\n", 0o600)
	out, _, err := runUsage(path, "--by", "day", "--csv")
	if err != nil || !strings.Contains(out, "\n2027-01-30,1,10,") {
		t.Errorf("got %q, %v", out, err)
	}
}

// A model that a spreadsheet would compute, or that a terminal would obey, is only text.
func TestUsageShowsNamesAsText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	writeFile(t, path, call("2027-01-30T00:00:00Z", "ann", "=cmd()", 1, 1, "complete")+"\n"+call("2027-01-30T00:00:00Z", "ann", `\u001b[2J`, 1, 1, "complete")+"\n", 0o600)
	out, _, err := runUsage(path, "--csv")
	if err != nil || !strings.Contains(out, "ann,'=cmd(),1,") || strings.Contains(out, "\x1b") {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestUsageFollowsAChainThroughFiles(t *testing.T) {
	old, current := auditFiles(t)
	out, errs, err := runUsage(old, current, "--by", "identity", "--csv")
	if err != nil || !strings.Contains(out, "ann,3,60,6,") || !strings.Contains(out, "bob,1,40,4,") || errs != "" {
		t.Errorf("got %q, %q, %v", out, errs, err)
	}
	if out, errs, err := runUsage(current, "--by", "identity", "--csv"); err != nil || !strings.Contains(out, "ann,1,") || !strings.Contains(errs, "are in an earlier file") {
		t.Errorf("only the newer file: got %q, %q, %v", out, errs, err)
	}
	for name, files := range map[string][]string{"the newer one first": {current, old}, "a file twice": {old, old, current}} {
		if out, errs, err := runUsage(files...); err == nil || !strings.Contains(errs, "broken: ") || !strings.Contains(out, "total") {
			t.Errorf("%s: got %q, %q, %v", name, out, errs, err)
		}
	}
	text := readFile(t, old)
	lines := strings.SplitAfter(text, "\n")
	writeFile(t, old, strings.Join(append(lines[:1:1], lines[2:]...), ""), 0o600)
	if out, errs, err := runUsage(old, current, "--by", "identity", "--csv"); err == nil || !strings.Contains(out, "ann,2,") || !strings.Contains(errs, "records 2 to 2 are missing") {
		t.Errorf("without a record: got %q, %q, %v", out, errs, err)
	}
	writeFile(t, old, text[:len(text)-10], 0o600)
	if _, errs, _ := runUsage(old, current); !strings.Contains(errs, "a torn line") {
		t.Errorf("with a torn line: got %q", errs)
	}
}

func TestUsageNamesGapsAndWhatItCannotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	writeFile(t, path, `{"time":"2027-01-30T00:00:00Z","event":"audit_gap","count":3}`+"\n"+strings.Replace(calls[0], `"tokens_in":10`, `"tokens_in":"x"`, 1)+"\n"+strings.Replace(calls[0], `"tokens_in":10`, `"tokens_in":-1`, 1)+"\n", 0o600)
	out, errs, err := runUsage(path, "--json")
	if err != nil || out != "[]\n" || !strings.Contains(errs, "could not write every record") || !strings.Contains(errs, "2 records of calls could not be read") {
		t.Errorf("got %q, %q, %v", out, errs, err)
	}
}

func TestUsageRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	writeFile(t, path, calls[0]+"\n", 0o600)
	for name, args := range map[string][]string{
		"no file": nil, "another dimension": {path, "--by", "guard"}, "one twice": {path, "--by", "day,day"}, "no time": {path, "--since", "yesterday"},
		"both forms": {path, "--json", "--csv"}, "a missing file": {path + ".none"}, "a directory": {filepath.Dir(path)},
	} {
		if out, _, err := runUsage(args...); err == nil || strings.Contains(out, "total") {
			t.Errorf("%s: got %q", name, out)
		}
	}
}

// Rows are bounded: a client chooses the names of models.
func TestUsageRowsAreBounded(t *testing.T) {
	s := usageSums{by: []string{"model"}, rows: map[usageKey]*usageRow{}}
	for i := range maxUsageRows + 1 {
		s.row(&usageRecord{Model: fmt.Sprint(i)})
	}
	if len(s.rows) != maxUsageRows || !s.full {
		t.Errorf("%d rows, full %v", len(s.rows), s.full)
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{"": {}, "30d": now.Add(-30 * 24 * time.Hour), "2027-01-02": time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC), "2027-01-02T03:04:05Z": time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
}
