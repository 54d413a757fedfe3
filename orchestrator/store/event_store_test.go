package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// lossyLog is the log of events as a replica sees it that can be made deaf.
func lossyLog(t *testing.T) (log *store.EventLog, deaf func(bool)) {
	t.Helper()
	way := &lossyWay{to: open(t, t.TempDir())}
	view, err := way.to.ViewBy(t.Context(), "a", way)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { view.Close() })
	return view.Events(), way.deaf.Store
}

// TestRecordsWaitForTheirLog stores records while the log does not answer: they
// arrive in their order when it does.
func TestRecordsWaitForTheirLog(t *testing.T) {
	t.Parallel()
	log, deaf := lossyLog(t)
	ctx := t.Context()
	if err := log.Store(ctx, "task", []byte("0")); err != nil {
		t.Fatal(err)
	}
	deaf(true)
	time.AfterFunc(3*time.Second, func() { deaf(false) })
	for i := 1; i < 4; i++ {
		if err := log.Store(ctx, "task", fmt.Append(nil, i)); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if got := records(t, log, "task"); got != "0 1 2 3" {
		t.Errorf("the log has %s", got)
	}
}

// TestRecordsDoNotWaitForEver gives up after a while; from then on each record is
// tried once, until one is stored. A replica that has lost the task does not wait at all.
func TestRecordsDoNotWaitForEver(t *testing.T) {
	t.Parallel()
	log, deaf := lossyLog(t)
	deaf(true)
	lost, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Second, cancel)
	begin := time.Now()
	if err := log.Store(lost, "task", nil); !errors.Is(err, context.Canceled) || time.Since(begin) > 3500*time.Millisecond {
		t.Errorf("of a task that was lost after a second: %v after %s", err, time.Since(begin))
	}
	for i, limits := range [][2]time.Duration{{5 * time.Second, 14 * time.Second}, {0, 4 * time.Second}} {
		begin = time.Now()
		err := log.Store(t.Context(), "task", nil)
		if took := time.Since(begin); !errors.Is(err, store.ErrUnavailable) || took < limits[0] || took > limits[1] {
			t.Errorf("record %d: %v after %s, want ErrUnavailable after %v", i, err, took, limits)
		}
	}
	deaf(false)
	if err := log.Store(t.Context(), "task", nil); err != nil {
		t.Errorf("when the log is back: %v", err)
	}
}
