package orchestrator

import (
	"errors"
	"testing"
)

// TestATaskThatHasEndedStaysAsItIs: neither memory nor the record changes any more, by
// a change that comes late.
func TestATaskThatHasEndedStaysAsItIs(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	id := waitingTask(t, o)
	e := o.found(ci, id)
	if err := o.end(e, canceled); err != nil {
		t.Fatal(err)
	}
	before := e.view()
	for name, late := range map[string]func() error{
		"a change":     func() error { _, err := o.change(t.Context(), e, func(t *Task) { t.State = Running }); return err },
		"a second end": func() error { return o.end(e, failed("LATE", "it came late", "")) },
	} {
		if err := late(); !errors.Is(err, errEnded) {
			t.Errorf("%s: got %v, want %v", name, err, errEnded)
		}
		if after := e.view(); after.State != Canceled || after.LastEventID != before.LastEventID || after.Error != nil {
			t.Errorf("%s: the task is %s, with %v, want canceled", name, after.State, after.Error)
		}
	}
}
