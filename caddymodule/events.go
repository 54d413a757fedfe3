package caddymodule

import (
	"context"
	"log/slog"
	"time"

	"github.com/llorch/gateway/authmin"
)

// Events beside decisions.
const (
	eventLockoutStart     = "lockout_start"
	eventLockoutEnd       = "lockout_end"
	eventStreamTerminated = "stream_terminated"
)

// lockoutStart says that a client is locked out.
func (a *auditLog) lockoutStart(client string, rule lockoutRule) {
	a.event(slog.LevelWarn, eventLockoutStart,
		slog.String("client_ip", client), slog.Int("failures", rule.failures),
		slog.Int64("ban_ms", rule.ban.Milliseconds()))
}

// lockoutEnd says that a client's ban is over.
func (a *auditLog) lockoutEnd(client string) {
	a.event(slog.LevelInfo, eventLockoutEnd, slog.String("client_ip", client))
}

// streamTerminated says that a request under way was ended with its token.
func (a *auditLog) streamTerminated(guard string, d *authmin.Decision, why authmin.Reason, id string, sent int64, took time.Duration) {
	a.event(slog.LevelWarn, eventStreamTerminated,
		slog.String("guard", guard), slog.String("identity", d.Identity), slog.String("token", tokenName(d)),
		slog.String("fp6", d.Fingerprint), slog.String("reason", string(why)),
		slog.Int64("bytes", sent), slog.Int64("duration_ms", took.Milliseconds()),
		slog.String("correlation_id", id))
}

func (a *auditLog) event(level slog.Level, name string, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{slog.Uint64("seq", auditSequence.Add(1)), slog.String("event", name)}, attrs...)
	a.out.LogAttrs(context.Background(), level, name, attrs...)
}
