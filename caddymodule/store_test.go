package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// storeOf is a store of these files, and the log that it writes.
func storeOf(t *testing.T, paths ...string) (*tokenStore, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	m, err := provisionMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	s, err := newTokenStore(nil, paths, zap.New(core), quietAudit(t, m), m)
	if err != nil {
		t.Fatal(err)
	}
	s.updateMetrics()
	return s, logs
}

// quietAudit is an audit trail that ends nowhere.
func quietAudit(t *testing.T, m *metrics) *auditLog {
	t.Helper()
	a, err := newAuditLog(nil, zap.NewNop(), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return a
}

func (s *tokenStore) knows(token string) bool {
	_, verdict := s.keyring().Lookup(digestOf(token), time.Now())
	return verdict == authmin.VerdictValid
}

func TestARenameIsDetected(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	writeKeyring(t, path, keyringLine("a", tokenInfer, "infer"))
	s, _ := storeOf(t, path)
	before := s.keyring()
	if s.poll(); s.keyring() != before {
		t.Error("an unchanged file was read again")
	}
	writeKeyring(t, path, keyringLine("b", tokenAdmin, "admin"))
	if s.poll(); s.knows(tokenInfer) || !s.knows(tokenAdmin) {
		t.Error("the renamed file is not in use")
	}
}

// A Kubernetes Secret is a link to a link, and an update swaps the one in the
// middle: the path, and the size and time of what it shows, may stay the same.
func TestASymlinkSwapIsDetected(t *testing.T) {
	dir := t.TempDir()
	at := time.Unix(1700000000, 0)
	for version, token := range map[string]string{"..v1": tokenInfer, "..v2": tokenAdmin} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, version, "tokens")
		writeFile(t, file, keyringText(keyringLine("a", token, "infer")), 0o600)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	link := func(old, name string) {
		if err := os.Symlink(old, filepath.Join(dir, name+".new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("..v1", "..data")
	link("..data/tokens", "tokens")
	s, _ := storeOf(t, filepath.Join(dir, "tokens"))
	link("..v2", "..data")
	if s.poll(); s.knows(tokenInfer) || !s.knows(tokenAdmin) {
		t.Error("the swapped file is not in use")
	}
}

// Whatever is wrong with a file, the last good keyring stays; what was wrong is
// said once, counted once, and forgotten when the file is good again.
func TestBadFileKeepsTheLastGoodKeyring(t *testing.T) {
	good := keyringText(keyringLine("a", tokenInfer, "infer"))
	for name, spoil := range map[string]func(t *testing.T, path string){
		"gone":             func(t *testing.T, path string) { remove(t, path) },
		"empty":            func(t *testing.T, path string) { writeFile(t, path, "", 0o600) },
		"cut":              func(t *testing.T, path string) { writeFile(t, path, good[:len(good)-3], 0o600) },
		"cut after a line": func(t *testing.T, path string) { writeFile(t, path, good[:strings.Index(good, "#")], 0o600) },
		"garbage":          func(t *testing.T, path string) { writeFile(t, path, "\x00\xff\n", 0o600) },
		"a token in it":    func(t *testing.T, path string) { writeFile(t, path, keyringText("a "+tokenAdmin+" infer"), 0o600) },
		"world-readable":   func(t *testing.T, path string) { remove(t, path); writeFile(t, path, good, 0o644) },
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
		"a link to itself": func(t *testing.T, path string) {
			remove(t, path)
			if err := os.Symlink(path, path); err != nil {
				t.Fatal(err)
			}
		},
		"a device": func(t *testing.T, path string) {
			remove(t, path)
			if err := os.Symlink("/dev/zero", path); err != nil {
				t.Fatal(err)
			}
		},
		"one token twice": func(t *testing.T, path string) {
			writeFile(t, path, keyringText(keyringLine("a", tokenInfer, "infer"), keyringLine("b", tokenInfer, "admin")), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens")
			writeFile(t, path, good, 0o600)
			s, logs := storeOf(t, path)
			errors := value(t, s.metrics.sourceErrors.WithLabelValues("token_file"))
			spoil(t, path)
			for range 3 {
				s.poll()
			}
			if !s.knows(tokenInfer) {
				t.Error("the last good keyring is gone")
			}
			if n := value(t, s.metrics.sourceErrors.WithLabelValues("token_file")) - errors; n != 1 {
				t.Errorf("%v errors were counted, want 1", n)
			}
			if n := s.unusable(); n != 1 {
				t.Errorf("%d files are unusable, want 1", n)
			}
			if logs.Len() != 1 || logs.All()[0].Level != zap.ErrorLevel {
				t.Errorf("the log has %v", logs.All())
			}
			for _, entry := range logs.All() {
				expectNoToken(t, entry.Message+strings.ReplaceAll(entryText(entry), path, ""))
			}
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			writeKeyring(t, path, keyringLine("b", tokenAdmin, "admin"))
			if s.poll(); !s.knows(tokenAdmin) || s.knows(tokenInfer) {
				t.Error("the mended file is not in use")
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// The refusal of a file that others can read names the remedy; the remedy works,
// although it leaves content, size and time alone.
func TestACorrectedModeIsDetected(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	writeKeyring(t, path, keyringLine("a", tokenInfer, "infer"))
	s, _ := storeOf(t, path)
	writeFile(t, path+".new", keyringText(keyringLine("b", tokenAdmin, "admin")), 0o644)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if s.poll(); s.knows(tokenAdmin) {
		t.Fatal("a file that others can read is in use")
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.poll(); !s.knows(tokenAdmin) {
		t.Error("the mended file is not in use")
	}
}

// Look-ups beside a storm of changes, some of them bad, always know the token
// that every good version has.
func TestReloadsKeepTokensValid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	constant := keyringLine("constant", tokenInfer, "infer")
	writeKeyring(t, path, constant)
	s, _ := storeOf(t, path)
	stop := make(chan struct{})
	var misses atomic.Int64
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if !s.knows(tokenInfer) {
					misses.Add(1)
				}
			}
		})
	}
	for i := range 100 {
		switch i % 3 {
		case 0:
			writeKeyring(t, path, constant, keyringLine("extra", tokenAdmin, "admin"))
		case 1:
			writeFile(t, path, "garbage", 0o600)
		default:
			writeKeyring(t, path, constant)
		}
		s.poll()
	}
	close(stop)
	readers.Wait()
	if misses.Load() > 0 {
		t.Errorf("%d look-ups found no token", misses.Load())
	}
}
