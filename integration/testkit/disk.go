package testkit

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// minSecret is the shortest secret that OnDisk finds: a shorter one could be there by
// chance.
const minSecret = 16

// OnDisk names the files below dir that contain the secret as it is, as part of a JSON
// string, in hex, or in base64 at any alignment. A file that goes while it looks is not
// there.
func OnDisk(t testing.TB, dir string, secret []byte) (files []string) {
	t.Helper()
	if len(secret) < minSecret {
		t.Fatalf("a secret of %d bytes, want at least %d", len(secret), minSecret)
	}
	forms := forms(secret)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, form := range forms {
			if bytes.Contains(text, form) {
				files = append(files, path)
				break
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// forms are the ways in which a secret may be written.
func forms(secret []byte) [][]byte {
	quoted, _ := json.Marshal(string(secret))
	all := [][]byte{secret, quoted[1 : len(quoted)-1], []byte(hex.EncodeToString(secret))}
	for _, code := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 { // bytes of another text in the first group
			padded := append(make([]byte, before), secret...)
			padded = padded[:len(padded)/3*3]
			text := code.EncodeToString(padded)
			all = append(all, []byte(text[(before*8+5)/6:]))
		}
	}
	return all
}
