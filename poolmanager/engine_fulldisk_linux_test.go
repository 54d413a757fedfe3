package poolmanager

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fullDisk marks the process whose files may not grow: the limit is for all that
// a process writes, so the tests' own cannot have it.
const fullDisk = "POOLMANAGER_TEST_FULL_DISK"

// TestAKeyThatCannotBeWrittenLeavesNoFile: a file may not grow, as on a full disk.
func TestAKeyThatCannotBeWrittenLeavesNoFile(t *testing.T) {
	if os.Getenv(fullDisk) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), fullDisk+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	const room = 5 // bytes
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: room, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	err := writeKey(path, KeyFile, "0123456789")
	if resetErr := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); resetErr != nil {
		t.Fatal(resetErr)
	}
	if err == nil {
		t.Error("the key was written")
	}
	if text, err := os.ReadFile(path); err == nil {
		t.Errorf("%q is left of the key", text)
	}
}
