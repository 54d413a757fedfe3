package orchestrator

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWhichTimeEndsADispatch: the deadline before the first event; after it the
// stream's limit, or a silence.
func TestWhichTimeEndsADispatch(t *testing.T) {
	for name, c := range map[string]struct {
		events []time.Duration // when they come
		limit  time.Duration
		want   error
		at     time.Duration
	}{
		"nothing comes":        {nil, 0, errDeadline, 600 * time.Second},
		"one comes":            {[]time.Duration{599 * time.Second}, 0, errStalled, 599*time.Second + maxSilence},
		"the stream's limit":   {[]time.Duration{time.Second, 2 * time.Second}, time.Minute, errStreamLimit, 61 * time.Second},
		"a limit and silence":  {[]time.Duration{time.Second}, 2 * maxSilence, errStalled, time.Second + maxSilence},
		"it flows for an hour": {[]time.Duration{0, 20 * time.Minute, 40 * time.Minute, time.Hour}, 0, errStalled, time.Hour + maxSilence},
	} {
		synctest.Test(t, func(t *testing.T) {
			ended, begin := make(chan error, 3), time.Now()
			clock := newClock(600*time.Second, c.limit, maxSilence, func(cause error) { ended <- cause })
			defer clock.halt()
			for _, at := range c.events {
				<-time.After(at - time.Since(begin))
				clock.flows()
			}
			if got := <-ended; got != c.want || time.Since(begin) != c.at {
				t.Errorf("%s: ended by %v after %s, want %v after %s", name, got, time.Since(begin), c.want, c.at)
			}
		})
	}
}
