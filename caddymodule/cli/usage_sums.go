package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/budget"
)

// maxUsageRows bounds the rows in memory.
const maxUsageRows = 100_000

// usageKey is what a row is of; what is not added up by is empty.
type usageKey struct{ identity, model, day string }

// usageRow are the calls of a key.
type usageRow struct {
	Identity   string `json:"identity,omitempty"`
	Model      string `json:"model,omitempty"`
	Day        string `json:"day,omitempty"`
	Calls      int64  `json:"calls"`
	In         int64  `json:"tokens_in"`
	Out        int64  `json:"tokens_out"`
	Cached     int64  `json:"tokens_cached"`
	Reasoning  int64  `json:"tokens_reasoning"`
	Estimated  int64  `json:"estimated"`
	Aborted    int64  `json:"aborted"`
	Unreported int64  `json:"unreported"`
}

// usageSums adds up records.
type usageSums struct {
	by     []string
	since  time.Time
	rows   map[usageKey]*usageRow
	full   bool
	unread int
}

// usageRecord is a record of a call, as far as it is added up.
type usageRecord struct {
	Event     string    `json:"event"`
	Time      time.Time `json:"time"`
	TS        float64   `json:"ts"` // in Caddy's log, in place of time
	Identity  string    `json:"identity"`
	Token     string    `json:"token"`
	Model     string    `json:"model"`
	Answered  string    `json:"model_answered"`
	In        int64     `json:"tokens_in"`
	Out       int64     `json:"tokens_out"`
	Cached    int64     `json:"tokens_cached"`
	Reasoning int64     `json:"tokens_reasoning"`
	Outcome   string    `json:"outcome"`
	Estimated bool      `json:"estimated"`
}

var usageEvent = []byte(`"event":"usage"`)

// add adds a record, if it is one of a call.
func (s *usageSums) add(line []byte) {
	if !bytes.Contains(line, usageEvent) {
		return
	}
	var r usageRecord
	if err := json.Unmarshal(line, &r); err != nil || r.Event != "usage" || min(r.In, r.Out, r.Cached, r.Reasoning) < 0 {
		s.unread++
		return
	}
	if r.Time.IsZero() {
		r.Time = time.UnixMilli(int64(r.TS * 1000))
	}
	if r.Time.Before(s.since) {
		return
	}
	row := s.row(&r)
	if row == nil {
		return
	}
	call := usageRow{Calls: 1, In: r.In, Out: r.Out, Cached: r.Cached, Reasoning: r.Reasoning}
	if r.Estimated {
		call.Estimated = 1
	}
	switch r.Outcome {
	case "aborted":
		call.Aborted = 1
	case "unreported":
		call.Unreported = 1
	}
	row.addRow(&call)
}

// row is the row of a record; nil if there is no room for it.
func (s *usageSums) row(r *usageRecord) *usageRow {
	clean := func(text string) string { return authmin.CleanText(text, authmin.MaxLoggedHost) }
	var key usageKey
	for _, dimension := range s.by {
		switch dimension {
		case "identity":
			key.identity = clean(cmp.Or(r.Token, r.Identity))
		case "model":
			key.model = clean(cmp.Or(r.Model, r.Answered))
		default:
			key.day = r.Time.UTC().Format(time.DateOnly)
		}
	}
	row := s.rows[key]
	if row == nil {
		if len(s.rows) == maxUsageRows {
			s.full = true
			return nil
		}
		row = &usageRow{Identity: key.identity, Model: key.model, Day: key.day}
		s.rows[key] = row
	}
	return row
}

// addRow adds the figures of another row.
func (r *usageRow) addRow(other *usageRow) {
	r.Calls += other.Calls
	r.In, r.Out = budget.Add(r.In, other.In), budget.Add(r.Out, other.Out)
	r.Cached, r.Reasoning = budget.Add(r.Cached, other.Cached), budget.Add(r.Reasoning, other.Reasoning)
	r.Estimated += other.Estimated
	r.Aborted += other.Aborted
	r.Unreported += other.Unreported
}

// sorted are the rows, in the order of what they are added up by.
func (s *usageSums) sorted() []*usageRow {
	return slices.SortedFunc(maps.Values(s.rows), func(a, b *usageRow) int {
		for _, dimension := range s.by {
			if c := strings.Compare(a.name(dimension), b.name(dimension)); c != 0 {
				return c
			}
		}
		return 0
	})
}

// name is what the row is of.
func (r *usageRow) name(dimension string) string {
	switch dimension {
	case "identity":
		return r.Identity
	case "model":
		return r.Model
	}
	return r.Day
}
