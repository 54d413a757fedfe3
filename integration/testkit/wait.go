package testkit

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// Limit is how long Eventually waits. It is no claim about speed: what a test
// waits for takes milliseconds, and seconds only on a machine that is busy with
// the tests of other packages. A test that promises a time uses Within.
const Limit = 30 * time.Second

// Between two attempts Poll waits firstPause, and twice as long each time up to
// lastPause: a fast condition costs no time, and a slow one no processor.
const (
	firstPause = time.Millisecond
	lastPause  = 20 * time.Millisecond
)

var errNotYet = errors.New("condition is false")

// Eventually waits until the condition holds, and fails the test when it does
// not within Limit. In a synctest bubble it waits by the bubble's clock.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	Within(t, Limit, what, func() error {
		if !holds() {
			return errNotYet
		}
		return nil
	})
}

// Within calls try until it returns no error, and fails the test with its last
// error and the time waited when the limit has passed. In a synctest bubble it
// waits by the bubble's clock.
func Within(t testing.TB, limit time.Duration, what string, try func() error) {
	t.Helper()
	if err := Poll(limit, try); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// Poll calls try until it returns no error. When the limit has passed, it
// returns the last error with the time waited and the number of attempts; try is
// called at least once, and once more at the limit.
func Poll(limit time.Duration, try func() error) error {
	begin := time.Now()
	pause := firstPause
	for attempts := 1; ; attempts++ {
		err := try()
		if err == nil {
			return nil
		}
		waited := time.Since(begin)
		if waited >= limit {
			return fmt.Errorf("waited %v, %d attempts: %w", waited.Round(time.Millisecond), attempts, err)
		}
		<-time.After(min(pause, limit-waited))
		pause = min(2*pause, lastPause)
	}
}
