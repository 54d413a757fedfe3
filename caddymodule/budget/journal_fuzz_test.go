package budget

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
)

// maxFuzzedJournal bounds a journal: a line says all that a line can.
const maxFuzzedJournal = 4 << 10

// FuzzJournal: of any content, the journal is what its whole lines say, or an error.
// Nothing is read that was not written by the ledger, a torn tail costs no line before it,
// and a second start reads the same.
func FuzzJournal(f *testing.F) {
	at := time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)
	start, _ := Window(authmin.BudgetDay, at)
	var lines []byte
	for i, key := range []string{"alice/tokens/day", "proxy a b%\n/tokens/day", "alice/tokens/day"} {
		a := &account{key: key, period: authmin.BudgetDay, window: start.Unix(), limit: 1000, named: i == 1}
		a.used = int64(i)
		lines = appendLine(lines, at, a)
	}
	whole := string(lines)
	for _, content := range []string{
		"", whole, whole[:len(whole)-1], whole[:len(whole)-20], whole + "x", whole + "\x00\x00\x00", "x\n" + whole, whole + "\n" + whole,
		"00000000 \n", "00000000 1 2 3 4 5 keyring\n", whole + whole[:9],
	} {
		f.Add([]byte(content), false)
		f.Add([]byte(content), true)
	}
	f.Fuzz(func(t *testing.T, content []byte, checksummed bool) {
		if len(content) > maxFuzzedJournal {
			return
		}
		if checksummed { // so that what follows the sum is reached
			content = withSums(content)
		}
		dir := t.TempDir()
		path := filepath.Join(dir, journalName)
		if err := os.WriteFile(path, content, fileMode); err != nil {
			t.Fatal(err)
		}
		first, torn, err := readAll(t, dir)
		if err != nil {
			if kept, _ := os.ReadFile(path); !bytes.Equal(kept, content) {
				t.Errorf("%q is refused, and became %q", content, kept)
			}
			return
		}
		kept, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(kept, content[:len(content)-torn]) {
			t.Errorf("%q became %q (%v), want all but %d bytes", content, kept, err, torn)
		}
		if n := bytes.Count(kept, []byte("\n")); n != len(first) {
			t.Errorf("%q: %d lines give %d accounts", content, n, len(first))
		}
		again, torn, err := readAll(t, dir)
		if err != nil || torn != 0 || !bytes.Equal(bytes.Join(first, nil), bytes.Join(again, nil)) {
			t.Errorf("%q: a second start reads %q (%d torn, %v), want %q", content, again, torn, err, first)
		}
	})
}

// readAll opens and reads the journal of a directory, and gives its lines as the ledger
// would write them.
func readAll(t *testing.T, dir string) (lines [][]byte, torn int, err error) {
	t.Helper()
	j, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = j.f.Close()
		_ = j.lock.Close()
	}()
	torn, err = j.read(func(at int64, a *account) {
		line := appendLine(nil, time.Unix(at, 0), a)
		if gotAt, got, ok := parseLine(string(bytes.TrimSuffix(line, []byte("\n")))); !ok || gotAt != at || got.key != a.key || got.used != a.used || got.limit != a.limit || got.named != a.named {
			t.Errorf("%q is not read as it is written", line)
		}
		if a.used < 0 || a.limit < 0 || a.window < 0 {
			t.Errorf("%q: a negative number", line)
		}
		lines = append(lines, line)
	})
	return lines, torn, err
}

// withSums puts the sum of each line in its place.
func withSums(content []byte) (out []byte) {
	for line := range bytes.Lines(content) {
		body, ended := bytes.CutSuffix(line, []byte("\n"))
		if _, after, ok := bytes.Cut(body, []byte(" ")); ok {
			body = after
		}
		out = fmt.Appendf(out, "%08x %s", crc32.Checksum(body, castagnoli), body)
		if ended {
			out = append(out, '\n')
		}
	}
	return out
}
