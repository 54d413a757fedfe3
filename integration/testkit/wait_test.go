package testkit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPollReturnsWhenTheCallSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, attempts := time.Now(), 0
		err := Poll(time.Minute, func() error {
			if attempts++; attempts < 4 {
				return errors.New("too early")
			}
			return nil
		})
		if took := time.Since(begin); err != nil || took != 7*time.Millisecond {
			t.Errorf("%v after %v, want success after 1 + 2 + 4 ms", err, took)
		}
	})
}

func TestPollReportsTheLastErrorAndTheTimeWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		err := Poll(time.Second, func() error {
			attempts++
			return fmt.Errorf("status %d", attempts)
		})
		want := fmt.Sprintf("waited 1s, %d attempts: status %[1]d", attempts)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestPollCallsOnceWithoutALimit(t *testing.T) {
	attempts := 0
	if err := Poll(0, func() error { attempts++; return errors.New("no") }); err == nil || attempts != 1 {
		t.Errorf("%v after %d attempts, want an error after 1", err, attempts)
	}
}

// TestEventuallyUsesTheTimeOfItsBubble: what a timer of the bubble does is
// seen, without a wait in real time.
func TestEventuallyUsesTheTimeOfItsBubble(t *testing.T) {
	begin := time.Now()
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(20 * time.Second)
		Eventually(t, "20 s have passed", func() bool { return !time.Now().Before(at) })
	})
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("took %v of real time", took)
	}
}

func TestEventuallyFailsTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			Eventually(r, "the sky falls", func() bool { return false })
		}()
		<-done
		if !strings.HasPrefix(r.failure, "the sky falls: waited 30s, ") || !strings.HasSuffix(r.failure, ": condition is false") {
			t.Errorf("got %q", r.failure)
		}
	})
}
