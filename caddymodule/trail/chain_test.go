package trail

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
)

func verify(paths ...string) (Report, error) {
	return Verify(paths, chainKey, time.Now())
}

func expectWhole(t *testing.T, paths ...string) Report {
	t.Helper()
	report, err := verify(paths...)
	if err != nil {
		t.Errorf("an unmodified chain: %v\n%s", err, contentOf(t, paths[len(paths)-1]))
	}
	return report
}

func expectBroken(t *testing.T, want string, paths ...string) {
	t.Helper()
	if _, err := verify(paths...); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestSealsOfTwoPurposesDiffer: the seal of a record whose text is that of a head would
// otherwise be a sealed head.
func TestSealsOfTwoPurposesDiffer(t *testing.T) {
	s, data := newSealer(chainKey), []byte("7 0123")
	if s.of(purposeRecord, data).equal(s.of(purposeHead, data)) {
		t.Error("a record and a head of the same bytes have one seal")
	}
	if !s.of(purposeHead, data).equal(s.of(purposeHead, data)) {
		t.Error("a seal differs from itself")
	}
}

// TestACutTailShows: without the records that a gateway writes at its end, and once a minute
// while it runs, the end of a file may have been cut off.
func TestACutTailShows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ended")
	writeChain(t, path, 1, 3)
	expectWhole(t, path)
	if err := os.Remove(path + headSuffix); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(contentOf(t, path), "\n"), "\n")
	writeFile(t, path, strings.Join(lines[:len(lines)-1], ""), 0o600)
	expectBroken(t, "no checkpoint closes it", path)

	live := filepath.Join(t.TempDir(), "live")
	putLine(t, startSink(t, newTestFile(live, chainKey)), 1)
	expectWhole(t, live)
	later := time.Now().Add(checkpointIdle + liveSlack + time.Minute)
	if _, err := Verify([]string{live}, chainKey, later); err == nil || !strings.Contains(err.Error(), "its last checkpoint is of") {
		t.Errorf("minutes after the last checkpoint: got %v, want that it is old", err)
	}
}

// writeChain writes records in one run of a gateway.
func writeChain(t *testing.T, path string, from, to int) {
	t.Helper()
	s := newTestSink(newTestFile(path, chainKey))
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	for n := from; n <= to; n++ {
		putLine(t, s, n)
	}
	stopSink(t, s)
}

// chainedLines are the lines of a chain of 12: opened, records 1 to 10, closed.
func chainedLines(t *testing.T) (path string, lines []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit")
	writeChain(t, path, 1, 10)
	lines = strings.SplitAfter(contentOf(t, path), "\n")
	return path, lines[:len(lines)-1]
}

// recompute makes a chain of the lines as an attacker with another key would.
func recompute(lines []string) []string {
	c := chain{sealer: newSealer(authmin.NewSecret("canary-other-0123456789abcdefghijklmnop"))}
	var out []string
	for _, line := range lines {
		record, _, _ := strings.Cut(line, fieldN)
		out = append(out, string(c.append(nil, []byte(record+"}"))))
	}
	return out
}

func TestTamperingIsNamed(t *testing.T) {
	cases := map[string]struct {
		tamper func(lines []string) []string
		want   string
	}{
		"one record edited": {func(l []string) []string {
			l[5] = strings.Replace(l[5], seqLine(5), seqLine(9), 1)
			return l
		}, ":6: record 6: edited"},
		"the last record edited": {func(l []string) []string {
			l[11] = strings.Replace(l[11], `"level":"INFO"`, `"level":"WARN"`, 1)
			return l
		}, ":12: record 12: edited"},
		"a record made illegible": {func(l []string) []string {
			l[5] = "garbage\n"
			return l
		}, ":6: edited"},
		"a record blanked": {func(l []string) []string {
			l[5] = "\n"
			return l
		}, ":6: edited"},
		"one record deleted": {func(l []string) []string { return slices.Delete(l, 5, 6) }, ":6: record 7: deleted: records 6 to 6"},
		"some deleted":       {func(l []string) []string { return slices.Delete(l, 2, 8) }, ":3: record 9: deleted: records 3 to 8"},
		"the first deleted":  {func(l []string) []string { return l[1:] }, ":1: record 2: deleted"},
		"two swapped": {func(l []string) []string {
			l[4], l[5] = l[5], l[4]
			return l
		}, ":5: record 6: reordered: record 5"},
		"one repeated":      {func(l []string) []string { return slices.Insert(l, 5, l[2]) }, ":6: record 3: reordered or repeated"},
		"the end cut":       {func(l []string) []string { return l[:8] }, "cut: it ends with record 8, but"},
		"the last one cut":  {func(l []string) []string { return l[:11] }, "cut: it ends with record 11, but"},
		"cut within a line": {func(l []string) []string { l[9] = l[9][:40]; return l[:10] }, "cut: it ends with record 9, but"},
		"everything cut":    {func([]string) []string { return nil }, "cut: there is no record"},
		"all recomputed":    {func(l []string) []string { return recompute(l) }, ":1: record 1: recomputed without the key"},
		"the rest recomputed": {func(l []string) []string {
			return append(slices.Clone(l[:6]), recompute(l)[6:]...)
		}, ":7: record 7: recomputed without the key"},
		"a record inserted": {func(l []string) []string {
			return slices.Insert(l, 6, strings.Replace(l[5], seqLine(5), seqLine(55), 1))
		}, ":7: record 6: edited"},
		"one of another chain of the key": {func(l []string) []string {
			other := filepath.Join(t.TempDir(), "audit")
			writeChain(t, other, 101, 110)
			l[5] = strings.SplitAfter(contentOf(t, other), "\n")[5]
			return l
		}, ":6: record 6: it follows another record 5"},
		"garbage at the end": {func(l []string) []string { return append(l, "garbage\n") }, ":13: edited"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path, lines := chainedLines(t)
			expectWhole(t, path)
			writeFile(t, path, strings.Join(c.tamper(lines), ""), 0o600)
			expectBroken(t, path, path)
			expectBroken(t, c.want, path)
		})
	}
}

// Without the second witness beside the file its end still has to be a closing
// checkpoint, and with an older one of those it is the witness that shows the cut.
func TestTruncationIsDetectedByHeadOrPeer(t *testing.T) {
	path, lines := chainedLines(t)
	if err := os.Remove(path + headSuffix); err != nil {
		t.Fatal(err)
	}
	expectWhole(t, path)
	for keep := 1; keep < len(lines); keep++ {
		writeFile(t, path, strings.Join(lines[:keep], ""), 0o600)
		expectBroken(t, fmt.Sprintf("cut: no checkpoint closes it after record %d", keep), path)
	}

	path, lines = chainedLines(t)
	writeChain(t, path, 11, 20)
	writeFile(t, path, strings.Join(lines, ""), 0o600) // back to the first clean stop
	expectBroken(t, "cut: it ends with record 12, but", path)
}

func TestTruncationIsReportedAfterARestart(t *testing.T) {
	path, lines := chainedLines(t)
	writeFile(t, path, strings.Join(lines[:6], ""), 0o600)
	writeChain(t, path, 11, 12)
	expectBroken(t, ":7: record 13: deleted: records 7 to 12", path)
}

// An attacker without the key writes an end for the chain to continue from, in the file
// and beside it.
func TestAForgedEndIsNotContinued(t *testing.T) {
	path, lines := chainedLines(t)
	forger := chain{sealer: newSealer(authmin.NewSecret("canary-other-0123456789abcdefghijklmnop")), chainHead: chainHead{n: 999}}
	forged := string(forger.append(nil, []byte(`{"event":"auth_success"}`)))
	writeFile(t, path, strings.Join(lines, "")+forged, 0o600)
	writeChain(t, path, 11, 11)
	if got := contentOf(t, path); !strings.Contains(got, `"cause":"unverified","n":13,`) {
		t.Errorf("the chain goes on as %s", got[strings.Index(got, forged)+len(forged):])
	}
	expectBroken(t, ":13: record 1000: ", path)

	path, _ = chainedLines(t)
	head, _, _ := strings.Cut(contentOf(t, path+headSuffix), " ")
	writeFile(t, path+headSuffix, strings.Replace(contentOf(t, path+headSuffix), head, "999", 1), 0o600)
	expectWhole(t, path)
	writeChain(t, path, 11, 11)
	expectWhole(t, path)
}

func TestAWrongKeyIsReported(t *testing.T) {
	path, _ := chainedLines(t)
	_, err := Verify([]string{path}, authmin.NewSecret("canary-wrong-0123456789abcdefghijklmnop"), time.Now())
	if err == nil || !strings.Contains(err.Error(), "check --key") {
		t.Errorf("got %v", err)
	}
}

func TestAChainGoesOnOverRestartsAndNewFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	writeChain(t, path, 1, 3)
	writeChain(t, path, 4, 6)
	if report := expectWhole(t, path); report.Records != 10 || len(report.Notices) != 0 {
		t.Errorf("got %+v, want 10 records and nothing to notice", report)
	}
	if err := os.Rename(path, path+".1"); err != nil { // while nothing runs
		t.Fatal(err)
	}
	writeChain(t, path, 7, 9)
	if report := expectWhole(t, path+".1", path); report.Records != 15 || report.Last != 15 {
		t.Errorf("got %+v, want 15 records", report)
	}
	expectWhole(t, path+".1")
	expectWhole(t, path)
	expectBroken(t, ":1: record 1: reordered or repeated", path, path+".1")
}

func TestCheckpointsComeByNumberAndByTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	out := newTestFile(path, chainKey)
	if err := out.open(); err != nil {
		t.Fatal(err)
	}
	defer out.close()
	checkpoints := func() int { return strings.Count(contentOf(t, path), `"audit_checkpoint","cause":"periodic"`) }
	lines := strings.Repeat(`{"event":"auth_success"}`+"\n", checkpointRecords)
	if _, err := out.write([]byte(lines), checkpointRecords); err != nil || checkpoints() != 1 {
		t.Fatalf("%d checkpoints after %d records (%v), want 1", checkpoints(), checkpointRecords, err)
	}
	now := time.Now()
	out.tick(now.Add(checkpointInterval + time.Second)) // nothing new: not yet
	if n := checkpoints(); n != 1 {
		t.Errorf("%d checkpoints at rest, want 1", n)
	}
	out.tick(now.Add(checkpointIdle + time.Second))
	if n := checkpoints(); n != 2 {
		t.Errorf("%d checkpoints after a minute at rest, want 2", n)
	}
	if _, err := out.write([]byte(`{"event":"auth_success"}`+"\n"), 1); err != nil {
		t.Fatal(err)
	}
	out.tick(time.Now().Add(checkpointInterval + time.Second))
	if n := checkpoints(); n != 3 {
		t.Errorf("%d checkpoints after 5 seconds with a record, want 3", n)
	}
	report, err := Verify([]string{path}, chainKey, time.Now())
	if err != nil || len(report.Notices) != 1 {
		t.Errorf("a file being written: %v, %s", err, report.Notices)
	}
	if _, err := Verify([]string{path}, chainKey, time.Now().Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "its last checkpoint is of") {
		t.Errorf("a live file without a fresh checkpoint: got %v", err)
	}
}
