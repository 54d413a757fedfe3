package trail

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// auditProcess, set to a path, makes this test binary a process that writes a
// chained trail there; limitedProcess bounds its files first.
const (
	auditProcess   = "TEST_AUDIT_PROCESS"
	limitedProcess = "TEST_AUDIT_LIMIT"
)

// TestTheAuditProcess is no test of its own: it is what the others start.
func TestTheAuditProcess(t *testing.T) {
	path := os.Getenv(auditProcess)
	if path == "" {
		return
	}
	if os.Getenv(limitedProcess) != "" {
		writeOverTheLimit(t, path)
		return
	}
	s := newTestSink(newTestFile(path, chainKey))
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		putLine(t, s, n)
		fmt.Println("wrote", n)
	}
}

func startAuditProcess(t *testing.T, path string, env ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestTheAuditProcess$")
	cmd.Env = append(append(os.Environ(), auditProcess+"="+path), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// What a required sink has accepted is in the file after a kill -9, and the chain
// goes on.
func TestAcceptedRecordsSurviveAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	cmd, out := startAuditProcess(t, path)
	last := -1
	for last < 200 && out.Scan() {
		_, _ = fmt.Sscanf(out.Text(), "wrote %d", &last)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for out.Scan() { // what it said before it died
		_, _ = fmt.Sscanf(out.Text(), "wrote %d", &last)
	}
	_ = cmd.Wait()
	content := contentOf(t, path)
	for n := range last + 1 {
		if !strings.Contains(content, seqLine(n)) {
			t.Fatalf("record %d was accepted and is not in the file", n)
		}
	}
	expectBroken(t, "cut: ", path)
	writeChain(t, path, 0, 1)
	report := expectWhole(t, path)
	// The kernel may have been in the middle of a line.
	if n := len(report.Notices); n < 1 || n > 2 || !strings.Contains(report.Notices[n-1], causeUnclosed) {
		t.Errorf("got notices %s, want one of an unclosed file", report.Notices)
	}
}

func TestATornLineIsReportedAndTheChainGoesOn(t *testing.T) {
	path, lines := chainedLines(t)
	for cut := 1; cut < len(lines[6]); cut += 37 {
		torn := strings.Join(lines[:6], "") + lines[6][:cut]
		writeFile(t, path, torn, 0o600)
		if err := os.Remove(path + headSuffix); err != nil && !os.IsNotExist(err) { // of the untouched file
			t.Fatal(err)
		}
		expectBroken(t, "cut: a torn line", path)
		writeChain(t, path, 7, 8)
		report := expectWhole(t, path)
		if len(report.Notices) != 2 || !strings.Contains(report.Notices[0], fmt.Sprintf(":7: a torn line of %d bytes", cut)) {
			t.Errorf("got notices %s, want the torn line", report.Notices)
		}
		edited := strings.Replace(contentOf(t, path), torn, torn+"x", 1)
		writeFile(t, path, edited, 0o600)
		expectBroken(t, ":7: edited", path)
	}
}

// The kernel takes a part of a write, then none: what was taken is taken back.
func TestAWriteThatIsCutShortLeavesWholeRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	cmd, out := startAuditProcess(t, path, limitedProcess+"=1")
	for out.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	content := contentOf(t, path)
	if !strings.Contains(content, `"k":1,`) || !strings.Contains(content, `"k":777,`) || !strings.Contains(content, `"event":"audit_gap"`) {
		t.Error("want records from before and after the limit, and one of the gap")
	}
	if report := expectWhole(t, path); len(report.Notices) != 1 || !strings.Contains(report.Notices[0], "could not write every record") {
		t.Errorf("got notices %s", report.Notices)
	}
}

func writeOverTheLimit(t *testing.T, path string) {
	signal.Ignore(syscall.SIGXFSZ)
	limit := func(bytes uint64) {
		var r syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &r); err != nil {
			t.Fatal(err)
		}
		r.Cur = bytes
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r); err != nil {
			t.Fatal(err)
		}
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	const most = 5000
	limit(most)
	s := newTestSink(newTestFile(path, chainKey))
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for n := 1; failed < 3; n++ {
		if err := put(s, fmt.Appendf(nil, `{"time":"x","event":"auth_success","k":%d,"x":0}`, n), true); err != nil {
			failed++
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= most {
		t.Errorf("a part of a record was left: %d bytes", info.Size())
	}
	limit(before.Cur)
	putLine(t, s, 777)
	stopSink(t, s)
}
