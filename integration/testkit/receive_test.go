package testkit

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestReceiveGivesTheNextValue(t *testing.T) {
	values := make(chan string, 1)
	values <- "one"
	if got := Receive(t, values, "a value"); got != "one" {
		t.Errorf("got %q, want one", got)
	}
	close(values)
	if got := Receive(t, values, "the end"); got != "" {
		t.Errorf("got %q of a closed channel, want the zero value", got)
	}
}

func TestReceiveFailsTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		done := make(chan struct{})
		begin := time.Now()
		go func() {
			defer close(done)
			Receive(r, make(chan int), "the engine's call")
		}()
		<-done
		if want := "the engine's call: nothing came within 30s"; r.failure != want || time.Since(begin) != Limit {
			t.Errorf("got %q after %v, want %q after %v", r.failure, time.Since(begin), want, Limit)
		}
	})
}
