package trail

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// fakeOutput remembers lines. While gate is held it hangs; fail makes it fail.
type fakeOutput struct {
	gate sync.Mutex

	mu     sync.Mutex
	fail   error
	lines  []string
	writes int
	closed bool
}

func (o *fakeOutput) open() error { return nil }

func (o *fakeOutput) write(lines []byte, records int) (int, error) {
	o.gate.Lock()
	defer o.gate.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return 0, o.fail
	}
	o.writes++
	return eachLine(lines, func(line []byte) error {
		o.lines = append(o.lines, string(line))
		return nil
	})
}

func (o *fakeOutput) tick(time.Time) {}

func (o *fakeOutput) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

func (o *fakeOutput) setFail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = err
}

func (o *fakeOutput) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.lines, "\n")
}

func TestRecordsShareAWrite(t *testing.T) {
	out := new(fakeOutput)
	s := newTestSink(out)
	for range 100 {
		if err := put(s, []byte("{}"), false); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	stopSink(t, s)
	if len(out.lines) != 100 || out.writes != 1 || !out.closed {
		t.Errorf("%d lines in %d writes, closed %v; want 100 in 1, closed", len(out.lines), out.writes, out.closed)
	}
	if n := valueOf(t, s.counters.Written); n != 100 {
		t.Errorf("written counts %d", n)
	}
}

func TestARequiredRecordIsWrittenFirst(t *testing.T) {
	out := new(fakeOutput)
	s := startSink(t, out)
	if err := put(s, []byte(`{"a":1}`), true); err != nil {
		t.Fatal(err)
	}
	if got := out.text(); got != `{"a":1}` {
		t.Errorf("put has returned and the output has %s", got)
	}
}

func TestAHungSinkDelaysNoRequestAndIsCounted(t *testing.T) {
	out := new(fakeOutput)
	s := startSink(t, out)
	out.gate.Lock()
	open := sync.OnceFunc(out.gate.Unlock)
	defer open()
	line := []byte(`{"x":"` + strings.Repeat("x", 1000) + `"}`)
	full := 0
	_ = promptly(t, "putting into a full queue", func() error {
		for range 3 * queueBytes / len(line) {
			if err := put(s, line, false); errors.Is(err, ErrQueueFull) {
				full++
			}
		}
		return nil
	})
	dropped := valueOf(t, s.counters.Dropped)
	if full == 0 || dropped != full {
		t.Errorf("%d puts were refused, %d are counted", full, dropped)
	}
	open()
	testkit.Eventually(t, "the queue to move on", func() bool { return put(s, []byte("{}"), true) == nil })
	if text := out.text(); !strings.Contains(text, `"event":"audit_gap","lost":`) {
		t.Error("no record tells of the lost ones")
	}
	if lost := s.lost.Load(); lost != 0 {
		t.Errorf("%d lost records are not reported", lost)
	}
}

func TestWaitingForAHungSinkEndsAndLaterOnesDoNotWait(t *testing.T) {
	out := new(fakeOutput)
	s := newTestSink(out)
	s.timeout = 50 * time.Millisecond
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	out.gate.Lock()
	open := sync.OnceFunc(out.gate.Unlock)
	defer open()
	wait := func() error { return put(s, []byte("{}"), true) }
	if err := promptly(t, "a put that waits", wait); !errors.Is(err, ErrStalled) {
		t.Errorf("got %v, want a time-out", err)
	}
	testkit.Eventually(t, "the sink to count as stalled", s.stalled)
	before := valueOf(t, s.counters.Dropped)
	for range 100 {
		if err := promptly(t, "a later put", wait); !errors.Is(err, ErrStalled) {
			t.Fatalf("got %v, want a time-out", err)
		}
	}
	if dropped := valueOf(t, s.counters.Dropped) - before; dropped != 100 { // what waits is not dropped
		t.Errorf("%d of 100 later puts did not wait", dropped)
	}
	if err := promptly(t, "ending a hung sink", s.Stop); !errors.Is(err, ErrStalled) {
		t.Errorf("ending a hung sink: got %v, want a time-out", err)
	}
	open()
	<-s.done
}

func TestWaitingRecordsGetTheWriteError(t *testing.T) {
	out := new(fakeOutput)
	s := startSink(t, out)
	broken := errors.New("broken")
	out.setFail(broken)
	for range 3 {
		if err := put(s, []byte("{}"), true); !errors.Is(err, broken) {
			t.Fatalf("got %v, want the output's error", err)
		}
	}
	if n := valueOf(t, s.counters.Failed); n != 3 {
		t.Errorf("failed counts %d, want 3", n)
	}
	out.setFail(nil)
	if err := put(s, []byte(`{"after":1}`), true); err != nil {
		t.Fatal(err)
	}
	if text := out.text(); !strings.Contains(text, `"lost":3}`+"\n"+`{"after":1}`) {
		t.Errorf("want a record of 3 lost ones and then the new one, got %s", text)
	}
}

func TestAStoppedSinkAcceptsNoRecord(t *testing.T) {
	s := startSink(t, new(fakeOutput))
	stopSink(t, s)
	if err := put(s, []byte("{}"), true); !errors.Is(err, ErrStopped) {
		t.Errorf("got %v, want that it is closed", err)
	}
}
