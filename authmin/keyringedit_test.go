package authmin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// appendToken is an edit that adds one token of a name.
func appendToken(name string) func([]Token) ([]Token, error) {
	return func(tokens []Token) ([]Token, error) {
		return append(tokens, NewToken(name, RandomSecret(), ScopeInfer)), nil
	}
}

func editFile(t *testing.T, path string, edit func([]Token) ([]Token, error)) {
	t.Helper()
	if err := EditKeyringFile(t.Context(), path, edit); err != nil {
		t.Fatal(err)
	}
}

func TestEditingMakesAFileForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	editFile(t, path, appendToken("ci"))
	for _, file := range []string{path, filepath.Join(filepath.Dir(path), ".tokens.lock")} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("mode of %s: got %04o, want 0600", file, got)
		}
	}
}

func TestEditingKeepsCommentsModeAndUnchangedLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	digest, secret := strings.Repeat("0", 63), RandomSecret()
	old := "# who\n\na  sha256:" + digest + "1   infer state=active\n# why\nb sha256:" + digest + "2 metrics\n# end 2\n"
	if err := os.WriteFile(path, []byte(old), 0o640); err != nil {
		t.Fatal(err)
	}
	editFile(t, path, func(tokens []Token) ([]Token, error) {
		tokens[1].Revoked = true
		return append(tokens, NewToken("c", secret, ScopeAdmin)), nil
	})
	want := "# who\n\na  sha256:" + digest + "1   infer state=active\n# why\nb sha256:" + digest + "2 metrics state=revoked\nc sha256:" + secret.Digest().Hex() + " admin\n# end 3\n"
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("got\n%s(%v), want\n%s", got, err, want)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode: got %04o, want 0640", info.Mode().Perm())
	}
}

func TestARefusedEditLeavesNothingBehind(t *testing.T) {
	refusal := errors.New("no")
	for name, edit := range map[string]func([]Token) ([]Token, error){
		"an error":      func([]Token) ([]Token, error) { return nil, refusal },
		"a lost token":  func(tokens []Token) ([]Token, error) { return tokens[:0], nil },
		"a double name": appendToken("ci"),
		"a bad name":    appendToken("no such name"),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "tokens")
			editFile(t, path, appendToken("ci"))
			before, _ := os.ReadFile(path)
			if err := EditKeyringFile(t.Context(), path, edit); err == nil {
				t.Fatal("accepted")
			}
			after, _ := os.ReadFile(path)
			if string(before) != string(after) {
				t.Errorf("the file changed: got\n%s\nwant\n%s", after, before)
			}
			expectFiles(t, dir, ".tokens.lock", "tokens")
		})
	}
}

func TestEditingThroughALinkKeepsTheLink(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	err := EditKeyringFile(t.Context(), link, appendToken("ci"))
	if err == nil || !strings.Contains(err.Error(), "a link to a file that does not exist") {
		t.Errorf("dangling link: got %v, want a refusal", err)
	}
	editFile(t, path, appendToken("ci"))
	editFile(t, link, appendToken("other"))
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone (%v)", err)
	}
	if tokens, err := ReadKeyringFile(path); err != nil || len(tokens) != 2 {
		t.Errorf("got %d tokens (%v), want 2", len(tokens), err)
	}
}

func TestConcurrentEditsAreNotLost(t *testing.T) {
	const editors = 24
	path := filepath.Join(t.TempDir(), "tokens")
	var group sync.WaitGroup
	for i := range editors {
		group.Go(func() {
			if err := EditKeyringFile(t.Context(), path, appendToken(fmt.Sprintf("token-%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if tokens, err := ReadKeyringFile(path); err != nil || len(tokens) != editors {
		t.Errorf("got %d tokens (%v), want %d", len(tokens), err, editors)
	}
}

func TestAnEditWaitsForTheLockNoLongerThanItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	f, err := os.Create(filepath.Join(filepath.Dir(path), ".tokens.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = EditKeyringFile(ctx, path, appendToken("ci"))
	if err == nil || !strings.Contains(err.Error(), "another program holds") {
		t.Errorf("got %v, want a refusal that names the lock", err)
	}
	expectFiles(t, filepath.Dir(path), ".tokens.lock")
}

// A link in place of the lock would let others have any file made or locked.
func TestALockThatIsALinkIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("elsewhere", filepath.Join(dir, ".tokens.lock")); err != nil {
		t.Fatal(err)
	}
	if err := EditKeyringFile(t.Context(), filepath.Join(dir, "tokens"), appendToken("ci")); err == nil {
		t.Error("accepted")
	}
	expectFiles(t, dir, ".tokens.lock")
}

func expectFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("files: got %q, want %q", got, want)
	}
}
