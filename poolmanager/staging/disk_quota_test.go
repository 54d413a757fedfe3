package staging

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestADownloadThatDoesNotFitOnTheDiskIsRefused(t *testing.T) {
	var free atomic.Int64
	r := newStagingRig(t, 1<<20, func(o *Options) {
		o.free = func(string) (int64, error) { return free.Load(), nil }
	})
	free.Store(diskReserve + 1<<20 - 1)
	_, err := r.Stage(t.Context(), "catalog:m", nil)
	r.notStaged(t, err, errDiskFull)
	if n := sizeOf(r.partialPath(r.hex)); n > 0 {
		t.Errorf("%d bytes were written", n)
	}
	free.Store(diskReserve + 1<<20)
	path, err := r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
}

// TestADownloadEndsWhenTheDiskFills keeps what was read for a resume.
func TestADownloadEndsWhenTheDiskFills(t *testing.T) {
	size := 3 * diskCheckEvery
	looks := 0
	r := newStagingRig(t, size, func(o *Options) {
		o.free = func(string) (int64, error) {
			if looks++; looks == 2 {
				return diskReserve - 1, nil
			}
			return 1 << 40, nil
		}
	})
	_, err := r.Stage(t.Context(), "catalog:m", nil)
	r.notStaged(t, err, errDiskFull)
	kept := sizeOf(r.partialPath(r.hex))
	if kept < diskCheckEvery || kept >= int64(size) {
		t.Errorf("%d bytes were kept", kept)
	}
	path, err := r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
	if last := r.asked[len(r.asked)-1]; last != "bytes="+strconv.FormatInt(kept, 10)+"-" {
		t.Errorf("resumed with %q, want from %d", last, kept)
	}
}

func TestTwoDownloadsDoNotReserveTheSameDiskSpace(t *testing.T) {
	free := int64(diskReserve + 100)
	shared := &diskQuota{free: func(string) (int64, error) { return free, nil }, flights: map[*flight]bool{}}
	first, second := &flight{}, &flight{}
	first.total.Store(80)
	second.total.Store(80)
	if err := shared.claim("", first); err != nil {
		t.Fatal(err)
	}
	if err := shared.claim("", second); !errors.Is(err, errDiskFull) {
		t.Errorf("both may write 80 of 100 bytes: %v", err)
	}
	first.done.Store(60)
	free -= 60
	if err := shared.claim("", second); !errors.Is(err, errDiskFull) {
		t.Errorf("20 promised and 40 free: %v", err)
	}
	shared.release(first)
	second.total.Store(40)
	if err := shared.claim("", second); err != nil {
		t.Errorf("40 of 40: %v", err)
	}
}

func TestFreeBytesAreMeasured(t *testing.T) {
	if free, err := freeBytes(t.TempDir()); err != nil || free <= 0 {
		t.Errorf("got %d, %v", free, err)
	}
	if _, err := freeBytes("/nonexistent"); err == nil {
		t.Error("a directory that is not there has room")
	}
}

// TestOtherUsersCannotPlantAFile: links, second names, other kinds of file and
// directories that others may change are refused before a byte is read.
func TestOtherUsersCannotPlantAFile(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, r *stagingRig) error{
		"a link as partial file": func(t *testing.T, r *stagingRig) error {
			return os.Symlink(filepath.Join(t.TempDir(), "victim"), r.partialPath(r.hex))
		},
		"a second name of the partial file": func(t *testing.T, r *stagingRig) error {
			if err := os.WriteFile(r.partialPath(r.hex), nil, 0o600); err != nil {
				return err
			}
			return os.Link(r.partialPath(r.hex), filepath.Join(r.Root, "second"))
		},
		"a partial file that others may write": func(t *testing.T, r *stagingRig) error {
			if err := os.WriteFile(r.partialPath(r.hex), nil, 0o600); err != nil {
				return err
			}
			return os.Chmod(r.partialPath(r.hex), 0o622)
		},
		"a FIFO as partial file":      func(t *testing.T, r *stagingRig) error { return syscall.Mkfifo(r.partialPath(r.hex), 0o600) },
		"a directory as partial file": func(t *testing.T, r *stagingRig) error { return os.Mkdir(r.partialPath(r.hex), 0o700) },
		"a link as the final name": func(t *testing.T, r *stagingRig) error {
			other := filepath.Join(t.TempDir(), "right")
			if err := os.WriteFile(other, r.bytes, 0o600); err != nil {
				return err
			}
			return os.Symlink(other, r.finalPath(r.hex))
		},
		"a second name of the final file": func(t *testing.T, r *stagingRig) error {
			if err := os.WriteFile(r.finalPath(r.hex), r.bytes, 0o600); err != nil {
				return err
			}
			return os.Link(r.finalPath(r.hex), filepath.Join(r.Root, "second"))
		},
		"a FIFO as the final name": func(t *testing.T, r *stagingRig) error { return syscall.Mkfifo(r.finalPath(r.hex), 0o600) },
		"a root that others may replace": func(t *testing.T, r *stagingRig) error {
			above := filepath.Dir(r.Root)
			t.Cleanup(func() { _ = os.Chmod(above, 0o700) })
			return os.Chmod(above, 0o770)
		},
		"a root that others may write to": func(t *testing.T, r *stagingRig) error { return os.Chmod(r.Root, 0o770) },
		"a staging directory that others may write to": func(t *testing.T, r *stagingRig) error {
			return os.Chmod(r.stagingDir(), 0o777)
		},
		"a link as staging directory": func(t *testing.T, r *stagingRig) error {
			if err := os.Remove(r.stagingDir()); err != nil {
				return err
			}
			return os.Symlink(t.TempDir(), r.stagingDir())
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newStagingRig(t, 1000, nil)
			if err := os.Mkdir(r.stagingDir(), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := plant(t, r); err != nil {
				t.Fatal(err)
			}
			if path, err := r.Stage(t.Context(), "catalog:m", nil); !errors.Is(err, ErrStaging) {
				t.Errorf("got %s, %v", path, err)
			}
			if len(r.asked) > 0 {
				t.Error("the source was asked")
			}
		})
	}
}

func TestAStagedFileThatChangedIsHashedAgain(t *testing.T) {
	r := newStagingRig(t, 1000, nil)
	path, err := r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
	if err := os.Chtimes(path, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	path, err = r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
	if len(r.asked) != 1 {
		t.Errorf("the right bytes were read %d times", len(r.asked))
	}
	// Other bytes of the same length, with the old time.
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	path, err = r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
	if len(r.asked) != 2 {
		t.Errorf("the source was asked %d times, want again after the change", len(r.asked))
	}
}

func TestAFileOfTheCatalogIsCopiedAndChecked(t *testing.T) {
	r := newStagingRig(t, 700_000, nil)
	if err := os.Mkdir(filepath.Join(r.Root, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.Root, "in", "m.gguf"), r.bytes, 0o640); err != nil {
		t.Fatal(err)
	}
	r.enter("m", map[string]any{"source_url": "file:in/m.gguf"})
	path, err := r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
	for name, plant := range map[string]func(path string) error{
		"out":  func(path string) error { return os.Symlink("/etc/passwd", path) },
		"fifo": func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		if err := plant(filepath.Join(r.Root, name)); err != nil {
			t.Fatal(err)
		}
		r.enter(name, map[string]any{"source_url": "file:" + name, "digest": "sha256:" + strings.Repeat("0", 64)})
		if _, err := r.Stage(t.Context(), "catalog:"+name, nil); !errors.Is(err, errSource) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStaleFilesAreRemovedUnlessLocked(t *testing.T) {
	r := newStagingRig(t, 1000, nil)
	path, err := r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
	old := time.Now().Add(-partialMaxAge - time.Hour)
	keep := []string{filepath.Base(r.verifiedPath(r.hex)), filepath.Base(r.recordPath("m"))}
	for _, name := range []string{"sha256-old.part", "sha256-old.json", "sha256-gone.ok", "id-none.json", "sha256-busy.part", "sha256-new.part"} {
		if err := os.WriteFile(filepath.Join(r.stagingDir(), name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	busy, err := r.lockPartial(t.Context(), filepath.Join(r.stagingDir(), "sha256-busy.part"))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	entries, err := os.ReadDir(r.stagingDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "sha256-new.part" {
			if err := os.Chtimes(filepath.Join(r.stagingDir(), e.Name()), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.removeLeftovers(time.Now())
	for _, name := range append(keep, "sha256-busy.part", "sha256-new.part") {
		if _, err := os.Lstat(filepath.Join(r.stagingDir(), name)); err != nil {
			t.Errorf("%s is gone", name)
		}
	}
	if left, _ := os.ReadDir(r.stagingDir()); len(left) != 4 {
		t.Errorf("left: %v", left)
	}
}
