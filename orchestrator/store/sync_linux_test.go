package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestWhatIsAcknowledgedIsSynced: the server is told to sync each write, and when a write is
// acknowledged, no page of its log still waits for the disk. Where the kernel cannot tell
// that of a file (before Linux 6.5, or on tmpfs), the server's option is all that is seen.
func TestWhatIsAcknowledgedIsSynced(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir)
	if c := st.JetStreamConfig(); !c.SyncAlways {
		t.Errorf("the server runs with %+v, want sync_always", c)
	}
	if !tellsUnsynced(t, dir) {
		t.Log("this file system does not tell what is unsynced")
		return
	}
	for _, key := range []string{"a", "b", "c"} {
		if _, err := st.Bucket(store.Tasks).Create(t.Context(), key, make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
		looked := 0
		for _, file := range logFiles(t, dir, "KV_"+store.Tasks) {
			looked++
			if n := unsynced(t, file); n != 0 {
				t.Errorf("after the acknowledgement of %s %d pages of %s are not on disk", key, n, strings.TrimPrefix(file, dir))
			}
		}
		if looked == 0 {
			t.Fatal("the log of tasks is not where it is looked for")
		}
	}
}

// TestAStoreForTestsDoesNotSync shows that the test above can see what is not synced.
func TestAStoreForTestsDoesNotSync(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(t.Context(), store.Options{Dir: dir, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if c := st.JetStreamConfig(); c.SyncAlways {
		t.Errorf("the server runs with %+v, want no sync_always", c)
	}
	if !tellsUnsynced(t, dir) {
		return
	}
	if _, err := st.Bucket(store.Tasks).Create(t.Context(), "a", make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	pages := uint64(0)
	for _, file := range logFiles(t, dir, "KV_"+store.Tasks) {
		pages += unsynced(t, file)
	}
	if pages == 0 {
		t.Error("no page of the log waits for the disk")
	}
}

// logFiles are the blocks of a stream's log.
func logFiles(t *testing.T, dir, stream string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".blk") && strings.Contains(path, "/"+stream+"/") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// tellsUnsynced reports whether the kernel says of a new file there that it is not on disk.
func tellsUnsynced(t *testing.T, dir string) bool {
	t.Helper()
	path := filepath.Join(dir, "probe")
	if err := os.WriteFile(path, make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	return unsynced(t, path) > 0
}

// unsynced is how many pages of a file are in memory only, or on their way to the disk; 0
// where the kernel does not tell.
func unsynced(t *testing.T, path string) uint64 {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all unix.CachestatRange // to the end of the file
	var state unix.Cachestat_t
	if err := unix.Cachestat(uint(f.Fd()), &all, &state, 0); err != nil {
		return 0
	}
	return state.Dirty + state.Writeback
}
