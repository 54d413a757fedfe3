package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator/store"
)

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func TestCompareAndSetLetsOneWriterWin(t *testing.T) {
	b := open(t, t.TempDir()).Bucket(store.Tasks)
	ctx := t.Context()
	rev, err := b.Create(ctx, "k", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Create(ctx, "k", []byte("2")); !errors.Is(err, store.ErrExists) {
		t.Errorf("second create: got %v, want ErrExists", err)
	}
	if _, err := b.Update(ctx, "k", []byte("3"), rev); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Update(ctx, "k", []byte("4"), rev); !errors.Is(err, store.ErrConflict) {
		t.Errorf("update with a stale revision: got %v, want ErrConflict", err)
	}
	if e, err := b.Get(ctx, "k"); err != nil || string(e.Value) != "3" {
		t.Errorf("got %q, %v, want 3", e.Value, err)
	}
	if err := b.Delete(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(ctx, "k"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleted key: got %v, want ErrNotFound", err)
	}
	if _, err := b.Create(ctx, "k", []byte("5")); err != nil {
		t.Errorf("creating again after a delete: %v", err)
	}
}

func TestOneProcessHoldsADirectory(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir)
	if _, err := store.Open(t.Context(), store.Options{Dir: dir}); !errors.Is(err, store.ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
	st.Close()
	open(t, dir)
}

// records are what the log has of a task, in its order.
func records(t *testing.T, log *store.EventLog, task string) string {
	t.Helper()
	var all []string
	for cursor := uint64(0); ; {
		record, next, err := log.Read(t.Context(), task, cursor)
		if errors.Is(err, store.ErrNotFound) {
			return strings.Join(all, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		all, cursor = append(all, string(record)), next
	}
}

func TestEventsKeepTheirOrderPerTask(t *testing.T) {
	log := open(t, t.TempDir()).Events()
	ctx := t.Context()
	for i := range 10 {
		for _, task := range []string{"a", "b"} {
			if err := log.Append(task, fmt.Append(nil, task, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := log.Append("a", []byte("aend")); err != nil {
		t.Fatal(err)
	}
	if err := log.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := records(t, log, "a"), "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aend"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if last, err := log.Last(ctx, "a"); err != nil || string(last) != "aend" {
		t.Errorf("last: got %q, %v", last, err)
	}
	if err := log.Forget(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := log.Read(ctx, "a", 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("forgotten task: got %v, want ErrNotFound", err)
	}
}

// TestAcknowledgedWritesSurviveKill starts this test binary as a child that
// writes and says what was acknowledged, kills it with SIGKILL in the middle,
// and looks for every acknowledged key.
func TestAcknowledgedWritesSurviveKill(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestMain$")
	cmd.Env = append(os.Environ(), "STORE_TEST_CHILD="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acked []string
	for len(acked) < 200 {
		var key string
		if _, err := fmt.Fscanln(out, &key); err != nil {
			t.Fatalf("child ended after %d keys: %v", len(acked), err)
		}
		acked = append(acked, key)
	}
	cmd.Process.Kill()
	cmd.Wait()
	b := open(t, dir).Bucket(store.Tasks)
	for _, key := range acked {
		if _, err := b.Get(t.Context(), key); err != nil {
			t.Errorf("acknowledged, then lost: %v", err)
		}
	}
	n := 0
	if err := b.Each(t.Context(), func(store.Entry) error { n++; return nil }); err != nil || n < len(acked) {
		t.Errorf("listing: got %d keys, %v, want at least %d", n, err, len(acked))
	}
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_TEST_CHILD"); dir != "" {
		writeForEver(dir)
	}
	os.Exit(m.Run())
}

func writeForEver(dir string) {
	st, err := store.Open(context.Background(), store.Options{Dir: dir})
	for i := 0; err == nil; i++ {
		key := fmt.Sprint("key", i)
		if _, err = st.Bucket(store.Tasks).Create(context.Background(), key, []byte("v")); err == nil {
			fmt.Println(key)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
