package authmin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAKeyringOfAnotherUserIsRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		owner   uint32
		process int
		refused bool
	}{
		{"root's, read by root", 0, 0, false},
		{"root's, read by a service", 0, 998, false},
		{"the service's own", 998, 998, false},
		{"another user's, read by a service", 1000, 998, true},
		{"another user's, read by root", 1000, 0, true},
		{"an unmapped owner, shown as 65534", 65534, 998, true},
		{"one beyond 32 bits of sign", 1<<32 - 1, -1, true},
	} {
		err := checkOwnerID("/etc/llorch/tokens", c.owner, c.process)
		if errors.Is(err, ErrForeignOwner) != c.refused {
			t.Errorf("%s: got %v, want a refusal: %v", c.name, err, c.refused)
		}
		if c.refused && !strings.Contains(err.Error(), "chown root /etc/llorch/tokens") {
			t.Errorf("%s: got %q, which does not say what to run", c.name, err)
		}
	}
}

// What is judged is the file that was opened, behind every link.
func TestTheOwnerOfTheOpenedFileIsJudged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	writeFile(t, path, contentFor("a keyring"), 0o600)
	if err := readers["a keyring"](path); err != nil {
		t.Fatal(err)
	}
	const other = 54321
	if err := os.Chown(path, other, -1); err != nil { // only root may: the table above is the test for others
		t.Logf("chown: %v", err)
		return
	}
	for _, at := range []string{path, link(t, path, filepath.Join(dir, "link"))} {
		if err := readers["a keyring"](at); !errors.Is(err, ErrForeignOwner) || !errors.Is(err, ErrKeyringFile) {
			t.Errorf("%s: got %v, want a refusal", filepath.Base(at), err)
		}
	}
}
