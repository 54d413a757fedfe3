package store_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/nats-io/nats-server/v2/server"
)

// A store that has stopped writing says so as long as the disk is full, and has what it
// had when it writes again.
func TestAStoreWritesAgainWhenTheDiskHasSpace(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Free: func(string) (uint64, error) { return free.Load(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tasks := st.Bucket(store.Tasks)
	if _, err := tasks.Create(t.Context(), "before", []byte("1")); err != nil {
		t.Fatal(err)
	}
	free.Store(0)
	if err := st.StopWriting(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it says that it has stopped", func() bool {
		err := st.CheckSpace()
		return errors.Is(err, store.ErrDiskFull) && strings.Contains(err.Error(), "stopped writing")
	})
	free.Store(1 << 40)
	testkit.Eventually(t, "it takes new work", func() bool { return st.CheckSpace() == nil })
	if e, err := tasks.Get(t.Context(), "before"); err != nil || string(e.Value) != "1" {
		t.Errorf("got %q, %v, want what was written before", e.Value, err)
	}
	if _, err := tasks.Create(t.Context(), "after", nil); err != nil {
		t.Error(err)
	}
}

// A store that stops writing again though there was space is not restarted again and again:
// it says that it takes no work.
func TestAStoreThatStopsAgainRefusesWork(t *testing.T) {
	var log testkit.Buffer
	st, err := store.Open(t.Context(), store.Options{
		Dir: t.TempDir(), Free: func(string) (uint64, error) { return 1 << 40, nil }, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, says := range []string{"jetstream writes again", "jetstream has stopped writing again"} {
		if err := st.StopWriting(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, says, func() bool { return strings.Contains(log.String(), says) })
	}
	if err := st.CheckSpace(); !errors.Is(err, store.ErrDiskFull) || strings.Count(log.String(), "restarting jetstream") != 1 {
		t.Errorf("got %v and the log\n%s", err, log.String())
	}
}

// A store that was restarted, and has streams that look right, takes work only after a
// write.
func TestAStoreTakesWorkAgainAfterAWriteOnly(t *testing.T) {
	var log testkit.Buffer
	st, err := store.Open(t.Context(), store.Options{
		Dir: t.TempDir(), Free: func(string) (uint64, error) { return 1 << 40, nil }, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	restore, err := st.DropLeases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.StopWriting(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "its write fails", func() bool { return strings.Contains(log.String(), "jetstream does not write after its restart") })
	if err := st.CheckSpace(); !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("got %v, want %v", err, store.ErrDiskFull)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it takes new work", func() bool { return st.CheckSpace() == nil })
	if text := log.String(); !strings.Contains(text, "jetstream writes again") || strings.Contains(text, "Healthcheck failed") {
		t.Errorf("the log says\n%s", text)
	}
}

func TestWhatStopsAServerFromWriting(t *testing.T) {
	const broken, behind = "JetStream stream 'A > KV_tasks' write error: no space left on device", "JetStream stream 'A > KV_tasks' is not current"
	for name, c := range map[string]struct {
		errors   []string
		replicas int
		want     string
	}{
		"a healthy server":           {nil, 1, ""},
		"a healthy replica":          {nil, 3, ""},
		"a server that lost a disk":  {[]string{broken}, 1, broken},
		"a server with another one":  {[]string{behind}, 1, behind},
		"a replica that catches up":  {[]string{behind}, 3, ""},
		"a replica that lost a disk": {[]string{behind, broken}, 3, broken},
	} {
		health := &server.HealthStatus{}
		for _, text := range c.errors {
			health.Errors = append(health.Errors, server.HealthzError{Error: text})
		}
		got := ""
		if err := store.Unwritable(health, c.replicas); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
