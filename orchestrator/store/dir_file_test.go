package store_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAFileOfAReplicaIsPrivate: it names nodes and their addresses.
func TestAFileOfAReplicaIsPrivate(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir)
	for range 2 { // it is new, and is replaced
		if err := st.SaveFile("nodes.json", []byte("[]")); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, "nodes.json"))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("mode %v, want 0600", mode)
		}
	}
}
