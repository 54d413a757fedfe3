package testkit

import (
	"testing"
	"time"
)

// Receive gives the next value of a channel, or the zero value of one that is closed. It
// fails the test, saying what did not come, when nothing does within Limit: a test that waits
// for a channel alone fails by the time limit of its whole package, and names nothing. In a
// synctest bubble it waits by the bubble's clock. It is for the goroutine of the test.
func Receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	return receive(t, from, Limit, what)
}

func receive[T any](t testing.TB, from <-chan T, limit time.Duration, what string) (value T) {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case value = <-from:
	case <-timer.C:
		t.Fatalf("%s: nothing came within %v", what, limit)
	}
	return value
}
