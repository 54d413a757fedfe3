package caddymodule

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/llorch/gateway/authmin"
)

func mustWatch(t *testing.T) *Watch {
	t.Helper()
	w, err := newWatch()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Each reader sees the decisions on its own requests from the moment it reads, and all of
// them under "". A second is shown when it is over.
func TestDecisionsAreCountedBySecondAndIdentity(t *testing.T) {
	w, start := mustWatch(t), time.Unix(1_000_000, 0)
	stop := w.Follow("ci")
	allowed := &authmin.Decision{Allow: true, Name: "ci", Token: new(authmin.Token)}
	w.decided(allowed, labelledAllowed, authmin.ReasonNone, start)
	w.decided(&authmin.Decision{Allow: true, Public: true}, labelledPublic, authmin.ReasonNone, start)
	w.decided(&authmin.Decision{Name: "ci"}, labelledRefused, authmin.ReasonScope, start)
	w.decided(&authmin.Decision{}, labelledShadow, authmin.ReasonMissing, start.Add(2*time.Second))
	all := []Second{
		{Unix: 1_000_000, Allowed: 1, Public: 1, Refused: 1, Reasons: map[string]int{"scope": 1}},
		{Unix: 1_000_002, Shadow: 1, Reasons: map[string]int{"missing": 1}},
	}
	own := []Second{{Unix: 1_000_000, Allowed: 1, Refused: 1, Reasons: map[string]int{"scope": 1}}}
	for _, c := range []struct {
		name  string
		after int64
		at    time.Time
		want  []Second
	}{
		{"", 0, start.Add(3 * time.Second), all},
		{"", 0, start.Add(2 * time.Second), all[:1]},
		{"", 1_000_000, start.Add(3 * time.Second), all[1:]},
		{"", 0, start.Add((watchedSeconds - 1) * time.Second), all},
		{"", 0, start.Add(watchedSeconds * time.Second), all[1:]},
		{"ci", 0, start.Add(3 * time.Second), own},
		{"other", 0, start.Add(3 * time.Second), nil},
	} {
		if diff := cmp.Diff(c.want, w.Seconds(c.name, c.after, c.at)); diff != "" {
			t.Errorf("%q after %d at %d (-want +got):\n%s", c.name, c.after, c.at.Unix(), diff)
		}
	}
	stop()
	if got := w.Seconds("ci", 0, start.Add(3*time.Second)); got != nil || len(w.own) != 0 {
		t.Errorf("after the last reader: got %v, and %d identities are counted", got, len(w.own))
	}
}

// The newest records are kept, and a reader gets those of its own token.
func TestTheNewestRecordsAreKept(t *testing.T) {
	w := mustWatch(t)
	const added = watchedRecords + 10
	for i := range added {
		token := ""
		if i%2 == 0 {
			token = "ci"
		}
		w.add(token, fmt.Appendf(nil, `{"n":%d}`, i))
	}
	for _, c := range []struct {
		name        string
		after       uint64
		limit       int
		first, last int // the numbers in the records
		count       int
	}{
		{"", 0, 1 << 20, 10, added - 1, watchedRecords},
		{"", 0, 3, added - 3, added - 1, 3},
		{"", added - 1, 3, added - 1, added - 1, 1},
		{"ci", 0, 1 << 20, 10, added - 2, watchedRecords / 2},
		{"ci", added - 4, 9, added - 4, added - 2, 2},
	} {
		lines, newest := w.Records(c.name, c.after, c.limit)
		if len(lines) != c.count || newest != added {
			t.Fatalf("%+v: got %d records, and %d as the newest", c, len(lines), newest)
		}
		for _, end := range []struct {
			line json.RawMessage
			want int
		}{{lines[0], c.first}, {lines[len(lines)-1], c.last}} {
			if got, want := string(end.line), fmt.Sprintf(`{"n":%d}`, end.want); got != want {
				t.Errorf("%+v: got %s, want %s", c, got, want)
			}
		}
	}
	if lines, _ := w.Records("", added, 3); len(lines) != 0 {
		t.Errorf("after the newest: got %s", lines)
	}
}
