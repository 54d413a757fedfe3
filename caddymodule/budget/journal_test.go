package budget

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheJournalIsItsOwnersAlone: it has names and what they use, and a user who can write it
// can spend for others. A file that was wider is made narrow.
func TestTheJournalIsItsOwnersAlone(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	for _, wide := range []bool{false, true} {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if wide {
			if err := os.WriteFile(filepath.Join(dir, journalName), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		l := newLedger(t, dir, &clock{})
		reserve(t, l, claim("alice", "9requests/month", 1)).Charge()
		if err := l.replace(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{journalName, lockName} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if want := os.FileMode(0o600); info.Mode() != want { // written out: the constant of the code may be wrong
				t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
			}
		}
	}
}

func TestACrashChargesWhatWasReserved(t *testing.T) {
	c, dir := &clock{}, t.TempDir()
	l := newLedger(t, dir, c)
	tokens, requests := claim("proxy:a b\n%", "10ktokens/day", 3000), claim("alice", "9requests/month", 1)
	reserve(t, l, tokens, requests).Settle(700)
	open := reserve(t, l, tokens, requests)
	open.Extend(500)
	abandon(t, l)
	again := newLedger(t, dir, c)
	expectUsed(t, again, tokens, 4200)
	expectUsed(t, again, requests, 2)
}

func TestATornTailIsDroppedAndDamageIsRefused(t *testing.T) {
	c, dir := &clock{}, t.TempDir()
	l := newLedger(t, dir, c)
	day := claim("alice", "10ktokens/day", 100)
	for range 3 {
		reserve(t, l, day).Charge()
	}
	stop(t, l)
	whole := contentOf(t, dir)
	lines := strings.SplitAfter(strings.TrimSuffix(whole, "\n"), "\n")
	path := filepath.Join(dir, journalName)
	for name, tail := range map[string]string{
		"a part of a line":        lines[0][:20],
		"a line without its end":  strings.TrimSuffix(lines[0], "\n"),
		"zeros":                   strings.Repeat("\x00", 5000),
		"lines that are no lines": "x\n\ny 1 2 3\n",
	} {
		if err := os.WriteFile(path, []byte(whole+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		again := New(Options{Directory: dir, Now: c.now, Log: func() *slog.Logger { return slog.New(slog.NewTextHandler(&log, nil)) }})
		if err := again.Start(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		expectUsed(t, again, day, 300)
		stop(t, again)
		if got := contentOf(t, dir); got != whole || !strings.Contains(log.String(), "torn") {
			t.Errorf("%s: the file is %q, and the log %q", name, got, log.String())
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: the mode is %v (%v)", name, info.Mode(), err)
		}
	}
	for i := range lines[:len(lines)-2] { // the last two, joined, are a torn tail
		for at := range lines[i] {
			damaged := []byte(strings.Join(lines, "") + "\n")
			damaged[len(strings.Join(lines[:i], ""))+at] ^= 4
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := New(Options{Directory: dir, Now: c.now}).Start(); err == nil || !strings.Contains(err.Error(), "is damaged") {
				t.Fatalf("byte %d of line %d changed: got %v", at, i+1, err)
			}
		}
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	c, dir := &clock{}, t.TempDir()
	newLedger(t, dir, c)
	second := New(Options{Directory: dir, Now: c.now})
	if err := second.Start(); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
	if _, err := second.Reserve([]Claim{claim("alice", "9requests/day", 1)}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestADirectoryThatOthersWriteIsRefused(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "open"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "open"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, filepath.Join(dir, "none"), filepath.Join(dir, "open")} {
		if err := New(Options{Directory: path}).Start(); err == nil {
			t.Errorf("%s is accepted", path)
		}
	}
}

// Its owner can replace the counts, whatever its mode.
func TestADirectoryOfAnotherUserIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := checkDirectory(dir, os.Geteuid()); err != nil {
		t.Error(err)
	}
	if err := checkDirectory(dir, os.Geteuid()+1); err == nil || !strings.Contains(err.Error(), "is owned by uid") {
		t.Errorf("got %v", err)
	}
}

// breakFile makes every write and sync of the journal fail.
func breakFile(t *testing.T, l *Ledger) {
	t.Helper()
	if err := l.journal.f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAJournalThatCannotBeWrittenRefuses(t *testing.T) {
	c, dir := &clock{}, t.TempDir()
	l := newLedger(t, dir, c)
	day := claim("alice", "10ktokens/day", 100)
	running := reserve(t, l, day)
	breakFile(t, l)
	if _, err := l.Reserve([]Claim{day}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	expectUsed(t, l, day, 100)
	open := day
	open.Open = true
	reserve(t, l, open)
	expectUsed(t, l, day, 200)
	running.Settle(7)
	if err := l.tick(); err != nil { // the file is replaced
		t.Fatal(err)
	}
	reserve(t, l, day)
	abandon(t, l)
	expectUsed(t, newLedger(t, dir, c), day, 207)
}

func TestASyncThatFailsRefusesUntilTheFileIsReplaced(t *testing.T) {
	c, dir := &clock{}, t.TempDir()
	l := newLedger(t, dir, c)
	day := claim("alice", "10ktokens/day", 100)
	reserve(t, l, day).Charge()
	broken := true
	l.journal.sync = func(f *os.File) error {
		if broken {
			return errors.New("the disk is broken")
		}
		return f.Sync()
	}
	for range 2 {
		if err := l.tick(); err == nil {
			t.Fatal("the sync did not fail")
		}
		if _, err := l.Reserve([]Claim{day}); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
	}
	broken = false
	if err := l.tick(); err != nil {
		t.Fatal(err)
	}
	reserve(t, l, day)
}

func TestADeletedJournalIsWrittenAgain(t *testing.T) {
	c, dir := &clock{}, t.TempDir()
	l := newLedger(t, dir, c)
	day := claim("alice", "10ktokens/day", 100)
	reserve(t, l, day)
	if err := os.Remove(filepath.Join(dir, journalName)); err != nil {
		t.Fatal(err)
	}
	if err := l.tick(); err != nil {
		t.Fatal(err)
	}
	abandon(t, l)
	expectUsed(t, newLedger(t, dir, c), day, 100)
}

func TestAGrownJournalIsReplaced(t *testing.T) {
	c, dir := &clock{}, t.TempDir()
	l := newLedger(t, dir, c)
	day, hour := claim("alice", "1Gtokens/day", 1), claim("bob", "1Grequests/hour", 1)
	reserve(t, l, day, hour)
	stop(t, l)
	lines := contentOf(t, dir)
	if err := os.WriteFile(filepath.Join(dir, journalName), []byte(strings.Repeat(lines, compactAbove/len(lines)+1)), fileMode); err != nil {
		t.Fatal(err)
	}
	again := newLedger(t, dir, c)
	if err := again.tick(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(contentOf(t, dir), "\n"); got != 2 {
		t.Errorf("%d lines are left, want 2", got)
	}
	reserve(t, again, day)
	abandon(t, again)
	expectUsed(t, newLedger(t, dir, c), day, 2)
}

func TestAJournalThatHasNotGrownIsKept(t *testing.T) {
	for _, c := range []struct {
		size, replaced int64
		want           bool
	}{
		{compactAbove, 0, false},
		{compactAbove + compactFactor, 0, true},
		{8 * compactAbove, 2 * compactAbove, false},
		{8*compactAbove + compactFactor, 2 * compactAbove, true},
	} {
		if got := hasGrown(c.size, c.replaced); got != c.want {
			t.Errorf("%d bytes after %d: got %v", c.size, c.replaced, got)
		}
	}
}

// A slow disk delays no request, and what changes meanwhile is in the new file.
func TestRequestsGoOnWhileTheJournalIsReplaced(t *testing.T) {
	c, dir := &clock{}, t.TempDir()
	l := newLedger(t, dir, c)
	day, other := claim("alice", "10ktokens/day", 100), claim("bob", "9requests/day", 1)
	running := reserve(t, l, day)
	l.ticking.Lock()
	l.journal.sync = func(f *os.File) error {
		if !l.mu.TryLock() {
			t.Error("requests wait for the disk")
			return f.Sync()
		}
		l.mu.Unlock()
		if f != l.journal.f { // the next file, before the rename
			reserve(t, l, day, other)
			running.Settle(7)
		}
		return f.Sync()
	}
	l.ticking.Unlock()
	for range 2 {
		if err := os.Remove(filepath.Join(dir, journalName)); err != nil {
			t.Fatal(err)
		}
		if err := l.tick(); err != nil {
			t.Fatal(err)
		}
	}
	abandon(t, l)
	again := newLedger(t, dir, c)
	expectUsed(t, again, day, 207)
	expectUsed(t, again, other, 2)
}

func TestTheJournalIsSyncedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Directory: t.TempDir()})
		if err := l.Start(); err != nil {
			t.Fatal(err)
		}
		syncs := 0
		l.journal.sync = func(*os.File) error { syncs++; return nil }
		for range 3 {
			reserve(t, l, claim("alice", "9requests/day", 1))
			<-time.After(2 * syncInterval) // of the bubble's clock
		}
		if err := l.Stop(); err != nil || syncs != 4 {
			t.Errorf("%d syncs (%v), want one after each change and one at the end", syncs, err)
		}
	})
}

// A reason that no client is told is logged, once for each.
func TestAJournalThatCannotBeOpenedIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	dir := filepath.Join(t.TempDir(), "budgets")
	l := New(Options{Directory: dir, Log: func() *slog.Logger { return slog.New(slog.NewTextHandler(&log, nil)) }})
	t.Cleanup(func() { stop(t, l) })
	expectLogged := func(lines int) {
		t.Helper()
		for range 3 {
			if _, err := l.Reserve([]Claim{claim("alice", "9requests/day", 1)}); (err == nil) != (lines == 0) {
				t.Errorf("got %v", err)
			}
		}
		if got := strings.Count(log.String(), "level=ERROR"); got != lines {
			t.Errorf("%d lines, want %d: %s", got, lines, &log)
		}
	}
	expectLogged(1)
	if err := os.Mkdir(dir, 0o722); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o722); err != nil {
		t.Fatal(err)
	}
	expectLogged(2)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	log.Reset()
	expectLogged(0)
}
