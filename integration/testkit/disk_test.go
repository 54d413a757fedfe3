package testkit

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestASecretIsFoundInEveryForm(t *testing.T) {
	const secret = `the "secret" of the day ?>~`
	quoted, _ := json.Marshal("x" + secret)
	texts := map[string]string{"plain": "a" + secret + "b", "json": string(quoted), "none": "the secret of the day"}
	for i := range 3 {
		text := []byte("abc"[:i] + secret + "def")
		texts[fmt.Sprint("base64 ", i)] = base64.StdEncoding.EncodeToString(text)
		texts[fmt.Sprint("base64url ", i)] = base64.URLEncoding.EncodeToString(text)
	}
	for name, text := range texts {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		want := 1
		if name == "none" {
			want = 0
		}
		if got := OnDisk(t, dir, []byte(secret)); len(got) != want {
			t.Errorf("%s: found in %v, want %d", name, got, want)
		}
	}
}
