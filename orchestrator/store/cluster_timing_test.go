package store

import (
	"testing"
	"time"
)

// TestTheServersTimesAreOurs goes red when an update of nats-server renames one of its
// variables, or gives it another default: read raft.go again then.
func TestTheServersTimesAreOurs(t *testing.T) {
	t.Parallel()
	if errTiming != nil {
		t.Error(errTiming)
	}
	for _, v := range timings() {
		if *v.at != v.want {
			t.Errorf("%s is %s, want %s", v.name, *v.at, v.want)
		}
	}
}

func TestNoTimeIsSetWhenOneIsUnknown(t *testing.T) {
	t.Parallel()
	known, renamed := 4*time.Second, time.Duration(0)
	all := []timing{{"a", &known, 4 * time.Second, time.Second}, {"b", &renamed, time.Second, 250 * time.Millisecond}}
	if err := setTimings(all); err == nil || known != 4*time.Second {
		t.Errorf("got %v, and a is %s", err, known)
	}
}
