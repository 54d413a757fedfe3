package caddymodule

import (
	"context"
	"log/slog"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
)

// Events other than decisions. Writing one does not block.
const (
	eventRotation         = "token_rotation_detected"
	eventRevoked          = "token_revoked"
	eventConfigLoaded     = "config_loaded"
	eventConfigRejected   = "config_rejected"
	eventLockoutStart     = "lockout_start"
	eventLockoutEnd       = "lockout_end"
	eventStreamTerminated = "stream_terminated"
)

// maxAuditError bounds the text of an error in a record.
const maxAuditError = 512

// bindRefused writes the record of a refused start.
func (a *auditLog) bindRefused(guard, address string, err error) {
	a.event(slog.LevelError, eventBindRefused,
		slog.String("guard", guard), slog.String("address", address),
		slog.String("error", authmin.CleanText(err.Error(), maxAuditError)))
}

// rotationDetected records that two tokens of one name are valid: one is about to
// replace the other.
func (a *auditLog) rotationDetected(name, oldFP6, newFP6 string) {
	a.event(slog.LevelInfo, eventRotation,
		slog.String("token", name), slog.String("fp6_old", oldFP6), slog.String("fp6_new", newFP6))
}

// tokenRevoked records that a token became invalid before it expired. by is "keyring"
// or "source" for a changed file, "admin" for the admin API.
func (a *auditLog) tokenRevoked(name, fp6, by string) {
	a.event(slog.LevelWarn, eventRevoked,
		slog.String("token", name), slog.String("fp6", fp6), slog.String("by", by))
}

// configLoaded records the configuration that came into force.
func (a *auditLog) configLoaded(guards, shadows, tokens int) {
	a.event(slog.LevelInfo, eventConfigLoaded,
		slog.Int("guards", guards), slog.Int("shadow_guards", shadows), slog.Int("tokens", tokens))
}

// configRejected records that a configuration or a keyring file was refused: the one
// in force stays. Errors of this module contain no token.
func (a *auditLog) configRejected(what string, err error) {
	a.event(slog.LevelError, eventConfigRejected,
		slog.String("what", what), slog.String("error", authmin.CleanText(err.Error(), maxAuditError)))
}

// streamTerminated records that a request in progress was ended with its token.
func (a *auditLog) streamTerminated(guard string, d *authmin.Decision, why authmin.Reason, id string, sent int64, took time.Duration) {
	a.event(slog.LevelWarn, eventStreamTerminated,
		slog.String("guard", guard), slog.String("identity", d.Identity), slog.String("token", tokenName(d)),
		slog.String("fp6", d.Fingerprint), slog.String("reason", string(why)),
		slog.Int64("bytes", sent), slog.Int64("duration_ms", took.Milliseconds()),
		slog.String("correlation_id", id))
}

func (a *auditLog) event(level slog.Level, name string, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{slog.Uint64("seq", trail.NextSeq()), slog.String("event", name)}, attrs...)
	a.out.LogAttrs(context.Background(), level, name, attrs...)
}
