package caddymodule

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/llorch/gateway/caddymodule/budget"
)

// Bounds of what is added up for pages: a client chooses the names of models.
const (
	usageIdentities = 256 // further ones are counted as `other`
	usageModels     = 32  // of an identity; further ones are counted as `other`
)

// usageTable adds up the calls of guards with usage, since the process started.
type usageTable struct {
	mu      sync.Mutex
	rows    map[string]map[string]*WatchedUsage // by identity and model; "" has the identities without rows of their own
	foreign int                                 // identities that are not of tokens: at most half
}

// WatchedUsage is what the calls of an identity to a model took.
type WatchedUsage struct {
	Identity string     `json:"identity"`
	Model    string     `json:"model"` // that was asked for, or else that answered; "" for none
	Today    UsageCount `json:"today"` // since midnight, in UTC
	All      UsageCount `json:"all"`   // since the process started

	day string
}

// UsageCount adds calls up.
type UsageCount struct {
	Calls     int64 `json:"calls"`
	In        int64 `json:"tokens_in"`
	Out       int64 `json:"tokens_out"`
	Estimated int64 `json:"estimated"` // calls whose figures are estimates
}

func (c *UsageCount) add(in, out int64, estimated bool) {
	c.Calls++
	c.In, c.Out = budget.Add(c.In, in), budget.Add(c.Out, out)
	if estimated {
		c.Estimated++
	}
}

// used adds the record of a call.
func (w *Watch) used(r *slog.Record) {
	var token, identity, model, answered string
	var in, out int64
	estimated := false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "token":
			token = a.Value.String()
		case "identity":
			identity = a.Value.String()
		case "model":
			model = a.Value.String()
		case "model_answered":
			answered = a.Value.String()
		case "tokens_in":
			in = a.Value.Int64()
		case "tokens_out":
			out = a.Value.Int64()
		case "estimated":
			estimated = a.Value.Bool()
		}
		return true
	})
	w.usage.add(usageOf{cmp.Or(token, identity), cmp.Or(model, answered), token == ""}, in, out, estimated, r.Time)
}

// usageOf is the key of a row.
type usageOf struct {
	identity, model string
	foreign         bool // the identity is not that of a token: a client or a proxy may choose it
}

func (t *usageTable) add(of usageOf, in, out int64, estimated bool, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row, day := t.row(of), at.UTC().Format(time.DateOnly)
	if row.day != day {
		row.day, row.Today = day, UsageCount{}
	}
	row.Today.add(in, out, estimated)
	row.All.add(in, out, estimated)
}

// row returns the row of a call, or the one that stands for it.
func (t *usageTable) row(of usageOf) *WatchedUsage {
	if t.rows == nil {
		t.rows = map[string]map[string]*WatchedUsage{}
	}
	key := of.identity
	if t.rows[key] == nil {
		if len(t.rows) >= usageIdentities || of.foreign && t.foreign >= usageIdentities/2 {
			key, of.identity = "", otherIdentities // not a key: a token may have this name
		} else if of.foreign {
			t.foreign++
		}
	}
	models := t.rows[key]
	if models == nil {
		models = map[string]*WatchedUsage{}
		t.rows[key] = models
	}
	if models[of.model] == nil && len(models) >= usageModels {
		of.model = otherModels
	}
	if models[of.model] == nil {
		models[of.model] = &WatchedUsage{Identity: of.identity, Model: of.model}
	}
	return models[of.model]
}

// otherModels is the row of models without one of their own.
const otherModels = "other"

// Usage returns at most limit rows, those with the most tokens of today first, and how many
// there are. With a name it returns those of that token alone.
func (w *Watch) Usage(name string, limit int, now time.Time) (rows []WatchedUsage, total int) {
	t, day := &w.usage, now.UTC().Format(time.DateOnly)
	t.mu.Lock()
	for identity, models := range t.rows {
		if name != "" && identity != name {
			continue
		}
		for _, row := range models {
			shown := *row
			if row.day != day {
				shown.Today = UsageCount{}
			}
			rows = append(rows, shown)
		}
	}
	t.mu.Unlock()
	slices.SortFunc(rows, func(a, b WatchedUsage) int {
		return cmp.Or(-cmp.Compare(a.Today.tokens(), b.Today.tokens()), -cmp.Compare(a.All.tokens(), b.All.tokens()),
			strings.Compare(a.Identity, b.Identity), strings.Compare(a.Model, b.Model))
	})
	return rows[:min(len(rows), limit)], len(rows)
}

func (c *UsageCount) tokens() int64 { return budget.Add(c.In, c.Out) }
