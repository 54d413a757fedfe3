package tinymodel

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// TestTheFileIsTheSameEachTime: whether an engine loads it is for the tests of the
// engines to show, where one is installed.
func TestTheFileIsTheSameEachTime(t *testing.T) {
	first := Bytes()
	if !bytes.Equal(first, Bytes()) {
		t.Fatal("two writings differ")
	}
	if string(first[:4]) != "GGUF" || binary.LittleEndian.Uint32(first[4:]) != 3 || len(first) > 1<<20 {
		t.Errorf("%d bytes beginning with %q", len(first), first[:8])
	}
}

func TestWriteIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := Write(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := Write(filepath.Join(path, "below-a-file")); err == nil {
		t.Error("it was written where nothing can be")
	}
}
