package authmin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hangLimit is how long a reader may take before it counts as hanging. It only
// runs out when the test fails.
const hangLimit = 10 * time.Second

// readers are the two front doors to a file with secrets.
var readers = map[string]func(string) error{
	"a token":   func(path string) error { _, err := SecretFromFile(path); return err },
	"a keyring": func(path string) error { _, err := ReadKeyringFile(path); return err },
}

func contentFor(reader string) []byte {
	if reader == "a token" {
		return []byte(tokenOf("ci") + "\n")
	}
	return []byte(lineOf("ci", "infer") + "\n# end 1\n")
}

// What is not a regular file is refused, and at once: a FIFO without a writer
// and an endless device must not hold up a start or a reload.
func TestSpecialFilesAreRefusedWithoutHanging(t *testing.T) {
	cases := map[string]func(t *testing.T, dir string) string{
		"a FIFO": func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "fifo")
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		},
		"a link to a FIFO": func(t *testing.T, dir string) string {
			if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
				t.Fatal(err)
			}
			return link(t, filepath.Join(dir, "fifo"), filepath.Join(dir, "link"))
		},
		"a directory":     func(t *testing.T, dir string) string { return dir },
		"an endless file": func(*testing.T, string) string { return "/dev/zero" },
		"an empty device": func(*testing.T, string) string { return "/dev/null" },
		"nothing":         func(t *testing.T, dir string) string { return filepath.Join(dir, "absent") },
		"a link to itself": func(t *testing.T, dir string) string {
			return link(t, filepath.Join(dir, "a"), filepath.Join(dir, "a"))
		},
		"two links in a loop": func(t *testing.T, dir string) string {
			link(t, filepath.Join(dir, "b"), filepath.Join(dir, "a"))
			return link(t, filepath.Join(dir, "a"), filepath.Join(dir, "b"))
		},
		"a link to nothing": func(t *testing.T, dir string) string {
			return link(t, filepath.Join(dir, "absent"), filepath.Join(dir, "a"))
		},
		"a socket": func(t *testing.T, dir string) string {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { syscall.Close(fd) })
			path := filepath.Join(dir, "s")
			if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
				t.Fatal(err)
			}
			return path
		},
	}
	for reader, read := range readers {
		for name, build := range cases {
			t.Run(reader+" from "+name, func(t *testing.T) {
				path, done := build(t, t.TempDir()), make(chan error, 1)
				go func() { done <- read(path) }()
				select {
				case err := <-done:
					exists := !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ELOOP) && !errors.Is(err, syscall.ENXIO)
					if err == nil || exists && !strings.Contains(err.Error(), "not a regular file") {
						t.Errorf("got %v, want a refusal of its kind", err)
					}
				case <-time.After(hangLimit):
					t.Fatal("it hangs")
				}
			})
		}
	}
}

// A Kubernetes Secret is a link to a link to a file.
func TestLinksToRegularFilesAreFollowed(t *testing.T) {
	for reader, read := range readers {
		t.Run(reader, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "file"), contentFor(reader), 0o600)
			first := link(t, filepath.Join(dir, "file"), filepath.Join(dir, "..data"))
			if err := read(link(t, first, filepath.Join(dir, "link"))); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFileModes(t *testing.T) {
	cases := []struct {
		mode           os.FileMode
		token, keyring bool
	}{
		{0o600, true, true},
		{0o400, true, true},
		{0o640, true, true},
		{0o440, true, true},
		{0o644, true, false}, // container platforms mount secrets so
		{0o604, true, false},
		{0o601, true, false},
		{0o660, false, false},
		{0o620, false, false},
		{0o606, false, false},
		{0o602, false, false},
		{0o666, false, false},
		{0o777, false, false},
	}
	for _, c := range cases {
		for reader, want := range map[string]bool{"a token": c.token, "a keyring": c.keyring} {
			t.Run(fmt.Sprintf("%s of mode %04o", reader, c.mode), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file")
				writeFile(t, path, contentFor(reader), c.mode)
				err := readers[reader](path)
				if (err == nil) != want {
					t.Fatalf("got %v, want ok %v", err, want)
				}
				if err != nil && (!strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "chmod 600")) {
					t.Errorf("the error names neither the file nor the remedy: %v", err)
				}
			})
		}
	}
}

func TestLargeFilesAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse")
	writeFile(t, path, nil, 0o600)
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Fatal(err)
	}
	if _, err := SecretFromFile(path); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a token of 1 TiB: %v", err)
	}
	if _, err := readBounded(path, 1<<20, 0); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file of 1 TiB: %v", err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ReadKeyringFile(path)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; err == nil || took > 1<<20 {
		t.Errorf("a keyring of 1 TiB: %v, after %d bytes of memory, want it refused by its size", err, took)
	}
	writeFile(t, path, make([]byte, 10), 0o600)
	if content, err := readBounded(path, 10, 0); err != nil || len(content) != 10 {
		t.Errorf("a file of exactly the limit: %d bytes, %v", len(content), err)
	}
	if _, err := readBounded(path, 9, 0); err == nil {
		t.Error("a file of one byte over the limit is read")
	}
}

func TestReadKeyringFileSaysWhichFileAndLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	writeFile(t, path, []byte("# ok\n"+lineOf("ci", "infer")+"\nbad\n# end 2\n"), 0o600)
	_, err := ReadKeyringFile(path)
	if !errors.Is(err, ErrKeyringFile) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("got %v, want the path and line 3", err)
	}
	if _, err := ReadKeyringFile(path + ".absent"); !errors.Is(err, os.ErrNotExist) || !errors.Is(err, ErrKeyringFile) {
		t.Errorf("an absent file: got %v", err)
	}
}

func link(t *testing.T, to, path string) string {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
	return path
}
