package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestACopyIsMadeOnce tells a copy that goes on from one that is made again.
func TestACopyIsMadeOnce(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	into := store.Move{Into: true, Cluster: "cluster a", Begun: at}
	other, later, out := into, into, into
	other.Cluster, later.Begun, out.Into = "cluster b", at.Add(time.Hour+1), false
	done := func(m store.Move) func(string) error {
		return func(dir string) error { return m.End(dir, at.Add(time.Minute)) }
	}
	for name, c := range map[string]struct {
		before func(dir string) error
		now    store.Move
		says   string // "": it may begin
	}{
		"nothing was before":          {func(string) error { return nil }, into, ""},
		"it was interrupted":          {into.Begin, into, ""},
		"it was interrupted long ago": {into.Begin, later, "copied into cluster a in part, begun at 2026-01-02T03:04:05Z"},
		"into another cluster":        {into.Begin, other, "copied into cluster a in part"},
		"it was done":                 {done(into), into, "copied into cluster a, done at 2026-01-02T03:05:05Z"},
		"it was done elsewhere":       {done(into), other, "copied into cluster a"},
		"it goes back":                {done(into), out, ""},
		"it went back before":         {done(out), out, "copied out of cluster a"},
		"it comes in again":           {done(out), into, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.before(dir); err != nil {
				t.Fatal(err)
			}
			err := c.now.Check(dir)
			if c.says == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if !errors.Is(err, store.ErrMoved) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want ErrMoved and %q", err, c.says)
			}
			if err := c.now.Begin(dir); err != nil {
				t.Errorf("all the same: %v", err)
			}
			if err := c.now.Check(dir); err != nil {
				t.Errorf("going on after it: %v", err)
			}
		})
	}
}

func TestACopyThatGoesOnKeepsItsBeginning(t *testing.T) {
	dir, at := t.TempDir(), time.Now()
	for i := range 2 {
		if err := (store.Move{Begun: at.Add(time.Duration(i) * 40 * time.Minute)}).Begin(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := (store.Move{Begun: at.Add(80 * time.Minute)}).Check(dir); !errors.Is(err, store.ErrMoved) {
		t.Errorf("got %v: an hour is counted from the first attempt", err)
	}
}

func TestANoteThatCannotBeReadStopsACopy(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "migrated.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (store.Move{}).Check(dir); err == nil || !strings.Contains(err.Error(), "migrated.json") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}
