package orchestrator

import (
	"context"
	"testing"
)

// TestADrainWaitsForAnswers: to calls whose tasks run at another replica, too.
func TestADrainWaitsForAnswers(t *testing.T) {
	l := newLifecycle(t.Context(), 0)
	done := l.answering()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if l.awaitAnswers(over) {
		t.Error("an answer goes on, and the drain has ended before its time")
	}
	done()
	if !l.awaitAnswers(t.Context()) {
		t.Error("no answer goes on, and the drain waits")
	}
}
