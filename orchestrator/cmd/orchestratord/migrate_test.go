package main

import (
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/store"
)

// TestAMigrationIsMadeOnce copies into something that forgets a task, and again.
// What stands for the cluster is a single server: the way into a real one is
// tested with three of them.
func TestAMigrationIsMadeOnce(t *testing.T) {
	ctx, from := t.Context(), t.TempDir()
	options := app.Options{StateDir: t.TempDir()}
	with := func(dir string, f func(b *store.Bucket) error) {
		t.Helper()
		st, err := store.Open(ctx, store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		if err := f(st.Bucket(store.Tasks)); err != nil {
			t.Fatal(err)
		}
	}
	with(from, func(b *store.Bucket) error { _, err := b.Create(ctx, "task", []byte("queued")); return err })
	var out strings.Builder
	if err := move(ctx, options, from, "", false, &out); err != nil || !strings.Contains(out.String(), "tasks: 1 keys: 1 created") {
		t.Fatalf("got %v, %s", err, &out)
	}
	with(options.StateDir, func(b *store.Bucket) error { return b.Delete(ctx, "task") })
	out.Reset()
	err := move(ctx, options, from, "", false, &out)
	if err == nil || !strings.Contains(err.Error(), "--again") || strings.Contains(out.String(), "joining") {
		t.Errorf("a second time: got %v, %s, want a refusal that says how", err, &out)
	}
	if err := move(ctx, options, from, "", true, &out); err != nil || !strings.Contains(out.String(), "tasks: 1 keys: 1 created") {
		t.Errorf("all the same: got %v, %s", err, &out)
	}
	back := t.TempDir()
	if err := move(ctx, options, "", back, false, &out); err != nil {
		t.Errorf("into a new directory: %v", err)
	}
	if err := move(ctx, options, "", back, false, &out); err == nil {
		t.Error("into the same one again: it was not refused")
	}
	if err := move(ctx, options, back, "", false, &out); err != nil {
		t.Errorf("and back from it: %v", err)
	}
}
