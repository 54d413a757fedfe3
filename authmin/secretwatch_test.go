package authmin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// watched are sources in files of one directory, and what a watch says of them.
type watched struct {
	dir     string
	sources map[string]*SecretSource
	watch   *SecretWatch
	events  []SecretEvent
}

// watchFiles watches one file for each name. No two secrets may be equal.
func watchFiles(t *testing.T, names ...string) *watched {
	t.Helper()
	w := &watched{dir: t.TempDir(), sources: map[string]*SecretSource{}}
	var list []*SecretSource
	for _, name := range names {
		writeFile(t, w.path(name), []byte(tokenOf(name)+"\n"), 0o600)
		s, err := FileSecret("token", name, w.path(name))
		if err != nil {
			t.Fatal(err)
		}
		w.sources[name], list = s, append(list, s)
	}
	take := func(next func(*SecretSource) Secret) error {
		for i := range list {
			for j := range i {
				if next(list[i]).Equal(next(list[j])) {
					return errors.New("two are equal")
				}
			}
		}
		return nil
	}
	w.watch = NewSecretWatch(list, take, func(e SecretEvent) { w.events = append(w.events, e) })
	return w
}

func (w *watched) path(name string) string { return filepath.Join(w.dir, name) }

func (w *watched) look(times int) {
	for range times {
		w.watch.Look()
	}
}

func (w *watched) expect(t *testing.T, name, token string) {
	t.Helper()
	if got := w.sources[name].Secret(); !got.Equal(NewSecret(token)) {
		t.Errorf("%s: got the secret of fp6 %s, want %s", name, got.Fingerprint(), NewSecret(token).Fingerprint())
	}
}

// replace puts a file into place with one rename.
func replace(t *testing.T, path, content string) {
	t.Helper()
	writeFile(t, path+".new", []byte(content), 0o600)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestASecretFollowsItsFile(t *testing.T) {
	fresh := tokenOf("fresh")
	cases := map[string]func(t *testing.T, path string){
		"a rename":  func(t *testing.T, path string) { replace(t, path, fresh+"\n") },
		"a rewrite": func(t *testing.T, path string) { writeFile(t, path, []byte(fresh), 0o600) },
		"a rewrite of the same size that sets the time back": func(t *testing.T, path string) {
			was, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, path, []byte(fresh+"\n"), 0o600)
			if err := os.Chtimes(path, was.ModTime(), was.ModTime()); err != nil {
				t.Fatal(err)
			}
		},
		"a symlink in its place": func(t *testing.T, path string) {
			writeFile(t, path+".target", []byte(fresh), 0o600)
			if err := os.Symlink(path+".target", path+".new"); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			w := watchFiles(t, "a")
			w.look(2)
			w.expect(t, "a", tokenOf("a"))
			change(t, w.path("a"))
			w.look(2)
			w.expect(t, "a", fresh)
			if w.look(2); len(w.events) != 1 || w.events[0].Err != nil {
				t.Errorf("got events %v, want one of a new secret", w.events)
			}
		})
	}
}

// A long token that has been written halfway is strong enough by itself, so that
// only waiting tells.
func TestAFileThatIsBeingWrittenIsNotReadHalfway(t *testing.T) {
	w := watchFiles(t, "a")
	whole := strings.Repeat(tokenOf("fresh"), 3)
	for _, end := range []int{MinTokenLength, MinTokenLength + 5, len(whole) - 1} {
		writeFile(t, w.path("a"), []byte(whole[:end]), 0o600)
		w.look(1)
		w.expect(t, "a", tokenOf("a"))
	}
	writeFile(t, w.path("a"), []byte(whole), 0o600)
	w.look(2)
	w.expect(t, "a", whole)
}

func TestABadFileKeepsTheLastGoodSecret(t *testing.T) {
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]func(t *testing.T, path string){
		"gone":           remove,
		"empty":          func(t *testing.T, path string) { writeFile(t, path, nil, 0o600) },
		"a blank":        func(t *testing.T, path string) { writeFile(t, path, []byte(" \n"), 0o600) },
		"short":          func(t *testing.T, path string) { writeFile(t, path, []byte(tokenOf("x")[:31]), 0o600) },
		"a placeholder":  func(t *testing.T, path string) { writeFile(t, path, []byte("${"+tokenOf("x")+"}"), 0o600) },
		"two lines":      func(t *testing.T, path string) { writeFile(t, path, []byte(tokenOf("x")+"\n"+tokenOf("y")), 0o600) },
		"world-writable": func(t *testing.T, path string) { remove(t, path); writeFile(t, path, []byte(tokenOf("x")), 0o666) },
		"large":          func(t *testing.T, path string) { writeFile(t, path, make([]byte, 1<<20), 0o600) },
		"a directory": func(t *testing.T, path string) {
			remove(t, path)
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"a FIFO": func(t *testing.T, path string) {
			remove(t, path)
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a device":         func(t *testing.T, path string) { remove(t, path); link(t, "/dev/zero", path) },
		"a link to itself": func(t *testing.T, path string) { remove(t, path); link(t, path, path) },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			w := watchFiles(t, "a")
			spoil(t, w.path("a"))
			w.look(5)
			w.expect(t, "a", tokenOf("a"))
			if len(w.events) != 1 || w.events[0].Err == nil {
				t.Fatalf("got events %v, want the problem, once", w.events)
			}
			if text := w.events[0].Err.Error(); leaks(text, tokenOf("x")) {
				t.Errorf("the problem holds a part of the token: %s", text)
			}
			if n := w.watch.Unusable(); n != 1 {
				t.Errorf("%d files are unusable, want 1", n)
			}
			if err := os.RemoveAll(w.path("a")); err != nil {
				t.Fatal(err)
			}
			replace(t, w.path("a"), tokenOf("fresh"))
			w.look(2)
			w.expect(t, "a", tokenOf("fresh"))
			if n := w.watch.Unusable(); n != 0 {
				t.Errorf("%d files are unusable after the repair", n)
			}
		})
	}
}

// Secrets that only fit together are taken together, whichever file is read first.
func TestSwappedSecretsAreLoadedTogether(t *testing.T) {
	w := watchFiles(t, "a", "b", "c")
	replace(t, w.path("a"), tokenOf("b"))
	replace(t, w.path("b"), tokenOf("a"))
	writeFile(t, w.path("c"), []byte("short"), 0o600)
	w.look(2)
	w.expect(t, "a", tokenOf("b"))
	w.expect(t, "b", tokenOf("a"))
	w.expect(t, "c", tokenOf("c"))
}

func TestEqualSecretsAreRefusedUntilTheyDiffer(t *testing.T) {
	w := watchFiles(t, "a", "b", "c")
	replace(t, w.path("a"), tokenOf("b"))
	replace(t, w.path("c"), tokenOf("fresh"))
	w.look(3)
	w.expect(t, "a", tokenOf("a"))
	w.expect(t, "b", tokenOf("b"))
	w.expect(t, "c", tokenOf("fresh"))
	refused := 0
	for _, e := range w.events {
		if e.Err != nil {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("got events %v, want one refusal", w.events)
	}
	replace(t, w.path("b"), tokenOf("later"))
	w.look(2)
	w.expect(t, "a", tokenOf("b"))
	w.expect(t, "b", tokenOf("later"))
}

func TestReadAllDoesNotWaitForASecondLook(t *testing.T) {
	w := watchFiles(t, "a")
	replace(t, w.path("a"), tokenOf("fresh"))
	w.watch.ReadAll()
	w.expect(t, "a", tokenOf("fresh"))
}

// A Kubernetes Secret is a directory of links through ..data, which one rename
// turns to the next version: of all files at once.
func TestAKubernetesSecretIsFollowed(t *testing.T) {
	w := watchFiles(t, "a", "b")
	version := filepath.Join(w.dir, "..v2")
	if err := os.Mkdir(version, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(version, "a"), []byte(tokenOf("b")), 0o644)
	writeFile(t, filepath.Join(version, "b"), []byte(tokenOf("fresh")), 0o644)
	link(t, "..v2", w.path("..data"))
	for _, name := range []string{"a", "b"} {
		link(t, "..data/"+name, w.path(name+".new"))
		if err := os.Rename(w.path(name+".new"), w.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	w.look(2)
	w.expect(t, "a", tokenOf("b"))
	w.expect(t, "b", tokenOf("fresh"))
}

func TestAChangedSecretIsInUseWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watchFiles(t, "a")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.watch.Run(ctx) }()
		<-time.After(10*SecretInterval + time.Millisecond)
		replace(t, w.path("a"), tokenOf("fresh"))
		<-time.After(2 * SecretInterval)
		synctest.Wait()
		w.expect(t, "a", tokenOf("fresh"))
		if 2*SecretInterval >= time.Second {
			t.Errorf("two looks take %v, want less than a second", 2*SecretInterval)
		}
		cancel()
		<-done
	})
}

func TestSecretSourceFromEnv(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	writeFile(t, path, []byte(tokenOf("a")), 0o600)
	cases := map[string]struct {
		env        map[string]string
		path, want string
	}{
		"the variable":     {map[string]string{"T": tokenOf("a")}, "", ""},
		"the file":         {map[string]string{"T_FILE": path}, path, ""},
		"neither":          {nil, "", ""},
		"both":             {map[string]string{"T": tokenOf("a"), "T_FILE": path}, "", "both"},
		"a missing file":   {map[string]string{"T_FILE": path + ".absent"}, "", "T_FILE"},
		"a short variable": {map[string]string{"T": "short"}, "", "fewer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := SecretSourceFromEnv(envOf(c.env), "T")
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("got %v, want an error with %q", err, c.want)
				}
				return
			}
			if err != nil || s.Path() != c.path || s.Kind() != "T" || s.Secret().IsZero() != (c.env == nil) {
				t.Errorf("got path %q, kind %q, zero %v, %v", s.Path(), s.Kind(), s.Secret().IsZero(), err)
			}
		})
	}
}

// TestAWatchOfNoFileHasNothingToLookFor: a program without one does not wake for it.
func TestAWatchOfNoFileHasNothingToLookFor(t *testing.T) {
	if watchFiles(t).watch.HasFiles() {
		t.Error("a watch of no file has some")
	}
	if !watchFiles(t, "a").watch.HasFiles() {
		t.Error("a watch of one file has none")
	}
}
