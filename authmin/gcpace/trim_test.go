package gcpace

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// kept has the compiler not do without what a test allocates.
var kept []byte

func TestMemoryIsReturnedWhenTheProcessIsIdle(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nothing else collects
	ticks := make(chan time.Time)
	done := make(chan struct{})
	go func() {
		trim(ticks)
		close(done)
	}()
	burst := func() {
		kept = make([]byte, quietBytes+worthBytes)
		for i := 0; i < len(kept); i += 4096 {
			kept[i] = 1
		}
		kept = nil
	}
	tick := func() uint64 { // the second one comes when the first is done
		ticks <- time.Now()
		ticks <- time.Now()
		return readHeap().unused
	}
	burst()
	ticks <- time.Now() // a busy minute
	ticks <- time.Now() // an idle one
	if left := tick(); left >= worthBytes {
		t.Errorf("after an idle minute %d MiB are not in use, want less than %d", left>>20, uint64(worthBytes)>>20)
	}
	close(ticks)
	testkit.Receive(t, done, "the end")
	runtime.KeepAlive(kept)
}

func TestMemoryIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		before, now heap
		want        bool
	}{
		"idle, with much":        {heap{100, 0}, heap{100 + quietBytes - 1, worthBytes}, true},
		"busy":                   {heap{100, 0}, heap{100 + quietBytes, worthBytes}, false},
		"idle, with little":      {heap{100, 0}, heap{100, worthBytes - 1}, false},
		"idle, nothing is there": {heap{}, heap{}, false},
	} {
		if got := c.now.worthReturning(c.before); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
