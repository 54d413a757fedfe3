package trail

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

func TestTheFileIsItsOwnersAlone(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := t.TempDir()
	made, wide := filepath.Join(dir, "made"), filepath.Join(dir, "wide")
	writeFile(t, wide, "{}\n", 0o666)
	for _, path := range []string{made, wide} {
		s := startSink(t, newTestFile(path, authmin.Secret{}))
		putLine(t, s, 1)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := os.FileMode(0o600); info.Mode() != want { // written out: the constant of the code may be wrong
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
	if got := contentOf(t, wide); !strings.HasPrefix(got, "{}\n{\"time\"") {
		t.Errorf("what was in the file is gone: %s", got)
	}
}

// What becomes of the path while the file is written. The next records have to be
// there at once, or within the second in which a rename is noticed.
func TestTheFileMayMove(t *testing.T) {
	moves := map[string]func(path string) error{
		"deleted": os.Remove,
		"renamed": func(path string) error { return os.Rename(path, path+".1") },
		"renamed, and a new one made": func(path string) error { // logrotate's create
			if err := os.Rename(path, path+".1"); err != nil {
				return err
			}
			return os.WriteFile(path, nil, fileMode)
		},
		"copied and truncated": func(path string) error {
			content, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path+".1", content, fileMode)
			}
			if err == nil {
				err = os.Truncate(path, 0)
			}
			return err
		},
	}
	for name, move := range moves {
		for _, key := range []authmin.Secret{{}, chainKey} {
			t.Run(fmt.Sprintf("%s, chained %v", name, !key.IsZero()), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "audit")
				s := startSink(t, newTestFile(path, key))
				putLine(t, s, 1)
				if err := move(path); err != nil {
					t.Fatal(err)
				}
				n := 1
				testkit.Eventually(t, "a record in the new file", func() bool {
					n++
					putLine(t, s, n)
					return strings.Contains(contentOf(t, path), seqLine(n))
				})
				if strings.Contains(contentOf(t, path), seqLine(1)) || bytes.ContainsRune([]byte(contentOf(t, path)), 0) {
					t.Errorf("the new file begins with the old one's content, or a hole")
				}
				if name == "deleted" {
					return
				}
				both := contentOf(t, path+".1") + contentOf(t, path)
				for i := 1; i <= n; i++ {
					if strings.Count(both, seqLine(i)) != 1 {
						t.Errorf("record %d is not in the two files once", i)
					}
				}
				if !key.IsZero() {
					stopSink(t, s)
					expectWhole(t, path+".1", path)
				}
				if name == "renamed" && !key.IsZero() {
					expectWhole(t, path+".1") // closed by itself
				}
			})
		}
	}
}

// The kernel says that the disk is full; then there is room again.
func TestAFullDiskIsSurvived(t *testing.T) {
	for _, key := range []authmin.Secret{{}, chainKey} {
		t.Run(fmt.Sprintf("chained %v", !key.IsZero()), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit")
			out := newTestFile(path, key)
			room := false
			out.openFile = func(path string) (*os.File, error) {
				if room {
					return openFile(path)
				}
				return os.OpenFile("/dev/full", os.O_RDWR, 0)
			}
			if err := out.open(); err != nil {
				t.Fatalf("a full disk refuses the start: %v", err)
			}
			line := []byte(`{"event":"auth_success"}` + "\n")
			for range 3 {
				if n, err := out.write(line, 1); n != 0 || err == nil || !strings.Contains(err.Error(), "no space left on device") {
					t.Fatalf("got %d, %v; want no space left", n, err)
				}
			}
			room = true
			out.release()
			if n, err := out.write(line, 1); n != 1 || err != nil {
				t.Fatalf("got %d, %v after there is room", n, err)
			}
			out.close()
			if strings.Count(contentOf(t, path), "auth_success") != 1 {
				t.Errorf("want one record, got %s", contentOf(t, path))
			}
			if !key.IsZero() {
				expectWhole(t, path)
			}
		})
	}
}

func TestSpecialFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	fifo, link, target := filepath.Join(dir, "fifo"), filepath.Join(dir, "link"), filepath.Join(dir, "target")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	writeFile(t, target, "", 0o600)
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		fifo: "not a regular file", link: "symbolic link", dir: "is a directory",
		"/dev/null": "not a regular file", filepath.Join(dir, "no", "file"): "no directory",
	} {
		if err := checkFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("checking %s: got %v, want %s", path, err, want)
		}
		if strings.HasSuffix(path, "no/file") {
			continue
		}
		f, err := openFile(path)
		if err == nil {
			f.Close()
			t.Errorf("%s was opened", path)
		}
	}
}

func TestTwoWritersOfOneFileAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	startSink(t, newTestFile(path, chainKey))
	second := newTestSink(newTestFile(path, chainKey))
	if err := second.Start(); err == nil || !strings.Contains(err.Error(), "written by another process") {
		t.Errorf("got %v, want that another process writes it", err)
	}
	if err := checkFile(path); err != nil {
		t.Errorf("validate beside a running gateway: %v", err)
	}
}

func TestATornLineIsEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	writeFile(t, path, `{"whole":1}`+"\n"+`{"time":"20`, 0o600)
	s := startSink(t, newTestFile(path, authmin.Secret{}))
	putLine(t, s, 1)
	lines := strings.Split(contentOf(t, path), "\n")
	if len(lines) != 4 || lines[1] != `{"time":"20` || !strings.Contains(lines[2], seqLine(1)) {
		t.Errorf("got %s", lines)
	}
}
