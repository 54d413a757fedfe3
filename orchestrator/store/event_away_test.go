package store_test

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestAnOutageOfTheLogThatIsOverIsForgotten writes no record between two outages of the
// log: the records of the second outage wait like those of the first.
func TestAnOutageOfTheLogThatIsOverIsForgotten(t *testing.T) {
	t.Parallel()
	log, deaf := lossyLog(t)
	deaf(true)
	lost, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Second, cancel)
	if err := log.Store(lost, "task", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("record of a canceled task: got %v, want context.Canceled", err)
	}
	deaf(false)
	<-time.After(11 * time.Second)
	deaf(true)
	time.AfterFunc(3*time.Second, func() { deaf(false) })
	if err := log.Store(t.Context(), "other", nil); err != nil {
		t.Errorf("record of another task, during the second outage: %v", err)
	}
}

// TestASubscriptionMadeWhileTheLogIsAwayStartsLater subscribes to a task's events
// while the log cannot be reached.
func TestASubscriptionMadeWhileTheLogIsAwayStartsLater(t *testing.T) {
	t.Parallel()
	view, cut, err := open(t, t.TempDir()).View(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	log := view.Events()
	cut(true)
	heard := make(chan string, 10)
	stop, err := log.Subscribe("task", func(record []byte) { heard <- string(record) })
	if err == nil {
		t.Error("got no error while the log cannot be reached")
	}
	defer stop()
	cut(false)
	if err := log.Store(t.Context(), "task", []byte("1")); err != nil {
		t.Fatal(err)
	}
	hear(t, heard, "1")
}
