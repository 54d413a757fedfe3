package caddymodule

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

// Audit events.
const (
	eventAllowed     = "auth_success"
	eventRefused     = "auth_failed"
	eventBindRefused = "startup_bind_refused"
)

// neverStacktrace is above every level in use: a record of the audit trail is
// one line, and says what was decided, not where in the code.
const neverStacktrace = slog.LevelError + 1

// auditSequence numbers the records of this process, over reloads.
var auditSequence atomic.Uint64

// auditLog writes one record a decision. It goes to Caddy's log under the name
// authmin.audit, so that an operator can send it where it belongs. No field ever
// holds a token: at most its fp6.
type auditLog struct {
	out *slog.Logger
}

func newAuditLog(log *zap.Logger) *auditLog {
	core := log.Named("audit").Core()
	return &auditLog{out: slog.New(zapslog.NewHandler(core, zapslog.WithName("authmin.audit"), zapslog.AddStacktraceAt(neverStacktrace)))}
}

// decision writes the record of one request. The status is the gateway's own
// answer, and is left out where the upstream answers.
func (a *auditLog) decision(r *http.Request, guard string, d *authmin.Decision, target, rule, id string) {
	level, event, decision := slog.LevelInfo, eventAllowed, "allow"
	if !d.Allow {
		level, event, decision = slog.LevelWarn, eventRefused, "refuse"
	}
	ctx := r.Context()
	if !a.out.Enabled(ctx, level) {
		return
	}
	path, _, _ := strings.Cut(target, "?")
	attrs := make([]slog.Attr, 0, 18)
	attrs = append(attrs,
		slog.Uint64("seq", auditSequence.Add(1)),
		slog.String("event", event),
		slog.String("decision", decision),
		slog.String("guard", guard),
		slog.String("identity", d.Identity),
		slog.String("token", tokenName(d)),
		slog.String("fp6", d.Fingerprint),
		slog.String("reason", string(d.Reason)),
		slog.String("rule", rule),
		slog.String("method", authmin.CleanText(r.Method, authmin.MaxLoggedMethod)),
		slog.String("path", authmin.CleanText(path, authmin.MaxLoggedPath)),
		slog.String("host", authmin.CleanText(r.Host, authmin.MaxLoggedHost)),
		slog.String("remote_ip", addrText(authmin.PeerAddr(r.RemoteAddr))),
		slog.String("client_ip", clientIP(ctx)),
		slog.String("user_agent", authmin.CleanText(r.UserAgent(), authmin.MaxLoggedUserAgent)),
		slog.String("correlation_id", id),
	)
	if d.Problem != nil {
		attrs = append(attrs, slog.Int("status", d.Problem.Status))
	}
	a.out.LogAttrs(ctx, level, event, attrs...)
}

// bindRefused writes the record of a refused start.
func (a *auditLog) bindRefused(guard, address string, err error) {
	a.out.LogAttrs(context.Background(), slog.LevelError, eventBindRefused,
		slog.Uint64("seq", auditSequence.Add(1)),
		slog.String("event", eventBindRefused),
		slog.String("guard", guard),
		slog.String("address", address),
		slog.String("error", err.Error()))
}

func tokenName(d *authmin.Decision) string {
	if d.Token == nil {
		return ""
	}
	return d.Token.Name
}

func addrText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// clientIP is Caddy's idea of the client, which may come from a trusted proxy's
// header.
func clientIP(ctx context.Context) string {
	ip, _ := caddyhttp.GetVar(ctx, caddyhttp.ClientIPVarKey).(string)
	return authmin.CleanText(ip, authmin.MaxLoggedHost)
}
