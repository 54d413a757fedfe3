package caddymodule

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
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

func freshCounters() sinkCounters {
	count := func(name string) prometheus.Counter { return prometheus.NewCounter(prometheus.CounterOpts{Name: name}) }
	return sinkCounters{count("written"), count("dropped"), count("failed")}
}

func valueOf(t testing.TB, c prometheus.Counter) int {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return int(m.GetCounter().GetValue())
}

// runQueue starts a queue over an output, and ends it with the test.
func runQueue(t *testing.T, out auditOutput) *auditQueue {
	t.Helper()
	q := newAuditQueue(out, freshCounters())
	if err := q.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endQueue(t, q) })
	return q
}

func endQueue(t *testing.T, q *auditQueue) {
	t.Helper()
	q.mu.Lock()
	ended := q.ended
	q.mu.Unlock()
	if ended {
		return
	}
	if err := q.Destruct(); err != nil {
		t.Error(err)
	}
}

func TestRecordsShareAWrite(t *testing.T) {
	out := new(fakeOutput)
	q := newAuditQueue(out, freshCounters())
	for range 100 {
		if err := q.put([]byte("{}"), false); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.start(); err != nil {
		t.Fatal(err)
	}
	endQueue(t, q)
	if len(out.lines) != 100 || out.writes != 1 || !out.closed {
		t.Errorf("%d lines in %d writes, closed %v; want 100 in 1, closed", len(out.lines), out.writes, out.closed)
	}
	if n := valueOf(t, q.count.written); n != 100 {
		t.Errorf("written counts %d", n)
	}
}

func TestAWaitedForRecordIsWrittenFirst(t *testing.T) {
	out := new(fakeOutput)
	q := runQueue(t, out)
	if err := q.put([]byte(`{"a":1}`), true); err != nil {
		t.Fatal(err)
	}
	if got := out.text(); got != `{"a":1}` {
		t.Errorf("put has returned and the output has %q", got)
	}
}

func TestAHungSinkHoldsUpNobodyAndIsCounted(t *testing.T) {
	out := new(fakeOutput)
	q := runQueue(t, out)
	out.gate.Lock()
	line := []byte(`{"x":"` + strings.Repeat("x", 1000) + `"}`)
	full := 0
	start := time.Now()
	for range 3 * queueBytes / len(line) {
		if err := q.put(line, false); errors.Is(err, errQueueFull) {
			full++
		}
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("putting into a full queue took %v", took)
	}
	dropped := valueOf(t, q.count.dropped)
	if full == 0 || dropped != full {
		t.Errorf("%d puts were refused, %d are counted", full, dropped)
	}
	out.gate.Unlock()
	eventually(t, "the queue to move on", func() bool { return q.put([]byte("{}"), true) == nil })
	if text := out.text(); !strings.Contains(text, `"event":"audit_gap","lost":`) {
		t.Error("no record tells of the lost ones")
	}
	if lost := q.lost.Load(); lost != 0 {
		t.Errorf("%d lost records are told of to nobody", lost)
	}
}

func TestWaitingForAHungSinkEndsAndLaterOnesDoNotWait(t *testing.T) {
	out := new(fakeOutput)
	q := newAuditQueue(out, freshCounters())
	q.timeout = 50 * time.Millisecond
	if err := q.start(); err != nil {
		t.Fatal(err)
	}
	out.gate.Lock()
	start := time.Now()
	if err := q.put([]byte("{}"), true); !errors.Is(err, errSinkStalled) || time.Since(start) > 100*q.timeout {
		t.Errorf("got %v after %v, want a time-out after %v", err, time.Since(start), q.timeout)
	}
	eventually(t, "the sink to count as stalled", q.stalled)
	before := time.Now()
	for range 100 {
		if err := q.put([]byte("{}"), true); !errors.Is(err, errSinkStalled) {
			t.Fatalf("got %v, want a time-out", err)
		}
	}
	if took := time.Since(before); took > q.timeout {
		t.Errorf("100 more waited %v", took)
	}
	before = time.Now()
	if err := q.Destruct(); !errors.Is(err, errSinkStalled) || time.Since(before) > 100*q.timeout {
		t.Errorf("ending a hung sink: got %v after %v, want a time-out", err, time.Since(before))
	}
	out.gate.Unlock()
	<-q.done
}

func TestAFailureReachesWhoeverWaitsAndPasses(t *testing.T) {
	out := new(fakeOutput)
	q := runQueue(t, out)
	broken := errors.New("broken")
	out.setFail(broken)
	for range 3 {
		if err := q.put([]byte("{}"), true); !errors.Is(err, broken) {
			t.Fatalf("got %v, want the output's error", err)
		}
	}
	if n := valueOf(t, q.count.failed); n != 3 {
		t.Errorf("failed counts %d, want 3", n)
	}
	out.setFail(nil)
	if err := q.put([]byte(`{"after":1}`), true); err != nil {
		t.Fatal(err)
	}
	if text := out.text(); !strings.Contains(text, `"lost":3}`+"\n"+`{"after":1}`) {
		t.Errorf("want a record of 3 lost ones and then the new one, got %s", text)
	}
}

func TestAnEndedSinkTakesNothing(t *testing.T) {
	q := runQueue(t, new(fakeOutput))
	endQueue(t, q)
	if err := q.put([]byte("{}"), true); !errors.Is(err, errSinkClosed) {
		t.Errorf("got %v, want that it is closed", err)
	}
}
