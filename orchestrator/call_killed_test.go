package orchestrator_test

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/store"
)

// stored gives the bytes of pieces that are in a state directory.
func stored(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".blk") && strings.Contains(path, "/streams/content/msgs/") {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil // what goes meanwhile is not there
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAKillBetweenTwoPiecesLeavesNoTask, and the pieces that are there are removed.
func TestAKillBetweenTwoPiecesLeavesNoTask(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := spawn(t, dir)
	body, send := io.Pipe()
	r := c.request("ci", "infer", "POST", "/v1/completions", "")
	r.Body, r.ContentLength = body, 2<<20
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if res, err := http.DefaultClient.Do(r); err == nil {
			res.Body.Close()
		}
		body.Close()
	}()
	if _, err := io.WriteString(send, `{"model":"demo","prompt":"`+strings.Repeat("x", 700<<10)); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "two pieces are on the disk", func() bool { return stored(t, dir) > 500<<10 })
	c.kill()
	send.Close()
	testkit.Receive(t, answered, "the answer")

	st, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var later atomic.Int64
	o, err := orchestrator.New(t.Context(), orchestrator.Config{Store: st, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Stop(context.Background())
	if page, err := o.Tasks(root, "", 9, ""); err != nil || len(page.Tasks) > 0 {
		t.Errorf("a body without its end became %v, %v", page.Tasks, err)
	}
	bodies := func() int {
		ids, err := st.Content().IDs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(ids)
	}
	if o.Sweep(); bodies() != 1 {
		t.Errorf("%d bodies are left at once, want 1: its record might still come", bodies())
	}
	later.Store(int64(11 * time.Minute))
	if o.Sweep(); bodies() != 0 {
		t.Errorf("%d bodies are left after the sweep", bodies())
	}
}
