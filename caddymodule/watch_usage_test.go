package caddymodule

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Calls are added up by identity and model, of the day and in all. A reader gets its own.
func TestCallsAreAddedUpForThePage(t *testing.T) {
	var w Watch
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	w.usage.add(usageOf{"ci", "llama", false}, 10, 5, false, noon.AddDate(0, 0, -1))
	w.usage.add(usageOf{"ci", "llama", false}, 1, 2, true, noon)
	w.usage.add(usageOf{"boss", "qwen", false}, 100, 0, false, noon.AddDate(0, 0, -1))
	ci := WatchedUsage{Identity: "ci", Model: "llama", Today: UsageCount{1, 1, 2, 1}, All: UsageCount{2, 11, 7, 1}}
	boss := WatchedUsage{Identity: "boss", Model: "qwen", All: UsageCount{1, 100, 0, 0}}
	for _, c := range []struct {
		name  string
		limit int
		want  []WatchedUsage
		total int
	}{{"", 9, []WatchedUsage{ci, boss}, 2}, {"", 1, []WatchedUsage{ci}, 2}, {"boss", 9, []WatchedUsage{boss}, 1}, {"other", 9, nil, 0}} {
		rows, total := w.Usage(c.name, c.limit, noon)
		if diff := cmp.Diff(c.want, rows, cmpopts.IgnoreUnexported(WatchedUsage{}), cmpopts.EquateEmpty()); diff != "" || total != c.total {
			t.Errorf("%q: %d rows in all, want %d (-want +got):\n%s", c.name, total, c.total, diff)
		}
	}
}

// Names that clients and proxies choose do not fill the memory, and leave places for tokens.
// The holder of a token named `other` does not see what is counted under that word.
func TestTheUsageOfPagesIsBounded(t *testing.T) {
	var w Watch
	now := time.Now()
	for i := range 2 * usageIdentities {
		w.usage.add(usageOf{fmt.Sprint("proxy:", i), "m", true}, 1, 0, false, now)
		w.usage.add(usageOf{"ci", fmt.Sprint(i), false}, 1, 0, false, now)
	}
	if proxies := len(w.usage.rows) - 2; proxies != usageIdentities/2 {
		t.Errorf("%d identities of proxies have rows, want %d", proxies, usageIdentities/2)
	}
	if rows, total := w.Usage("ci", 1, now); total != usageModels+1 || rows[0].Model != otherModels || rows[0].All.Calls != 2*usageIdentities-usageModels {
		t.Errorf("ci has %d rows, the first %+v", total, rows[0])
	}
	for i := range 2 * usageIdentities {
		w.usage.add(usageOf{fmt.Sprint("t", i), "m", false}, 1, 0, false, now)
	}
	if len(w.usage.rows) > usageIdentities+1 {
		t.Errorf("%d identities have rows", len(w.usage.rows))
	}
	if rows, _ := w.Usage(otherIdentities, 1, now); len(rows) != 0 {
		t.Errorf("token %s sees %+v", otherIdentities, rows)
	}
}
