package store_test

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestALossOfTheLogThatIsOverIsForgotten has nobody write to the log after it was
// lost, until it is lost again: the records of the second loss wait as those of the
// first did.
func TestALossOfTheLogThatIsOverIsForgotten(t *testing.T) {
	t.Parallel()
	log, deaf := lossyLog(t)
	deaf(true)
	lost, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Second, cancel)
	if err := log.Store(lost, "task", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("of a task that was lost: %v", err)
	}
	deaf(false)
	<-time.After(11 * time.Second)
	deaf(true)
	time.AfterFunc(3*time.Second, func() { deaf(false) })
	if err := log.Store(t.Context(), "other", nil); err != nil {
		t.Errorf("of another task, when the log was lost again: %v", err)
	}
}

// TestWhoSubscribesWhileTheLogIsAwayHearsOfItsReturn follows a task before there is
// somebody to follow it at.
func TestWhoSubscribesWhileTheLogIsAwayHearsOfItsReturn(t *testing.T) {
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
		t.Error("nobody has answered, and there is no error")
	}
	defer stop()
	cut(false)
	if err := log.Store(t.Context(), "task", []byte("1")); err != nil {
		t.Fatal(err)
	}
	hear(t, heard, "1")
}
