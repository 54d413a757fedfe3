package poolmanager

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// TestAKeyThatCannotBeWrittenLeavesNothing: a file may not grow, as on a full disk.
func TestAKeyThatCannotBeWrittenLeavesNothing(t *testing.T) {
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
