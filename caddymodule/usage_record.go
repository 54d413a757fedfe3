package caddymodule

import (
	"log/slog"
	"time"
)

// eventUsage is the record of what a call took.
const eventUsage = "usage"

// usageRecord is one call in the audit trail.
type usageRecord struct {
	guard, identity, token, fp6 string
	asked, answered             string // models, cleaned
	result                      usageResult
	first, took                 time.Duration
	correlationID               string
}

// usage writes the record of a call. It is in the chain like any other, and does not wait.
func (a *auditLog) usage(r *usageRecord) {
	u := &r.result
	a.event(slog.LevelInfo, eventUsage,
		slog.String("guard", r.guard), slog.String("identity", r.identity), slog.String("token", r.token), slog.String("fp6", r.fp6),
		slog.String("model", r.asked), slog.String("model_answered", r.answered),
		slog.Int64("tokens_in", u.Input), slog.Int64("tokens_out", u.Output),
		slog.Int64("tokens_cached", u.Cached), slog.Int64("tokens_reasoning", u.Reasoning),
		slog.Int64("ttft_ms", r.first.Milliseconds()), slog.Int64("duration_ms", r.took.Milliseconds()),
		slog.String("outcome", string(u.outcome)), slog.Bool("estimated", u.estimated),
		slog.Int("status", u.status), slog.String("correlation_id", r.correlationID))
}
