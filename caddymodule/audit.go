package caddymodule

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
	slogmulti "github.com/samber/slog-multi"
	"go.uber.org/zap"
)

// Audit events of decisions. Those beside decisions are where they happen.
const (
	eventAllowed     = "auth_success"
	eventRefused     = "auth_failed"
	eventBindRefused = "startup_bind_refused"
)

// The field `decision` of a record.
const (
	decisionAllow     = "allow"
	decisionRefuse    = "refuse"
	decisionWouldDeny = "would_deny" // a shadow guard let it through
)

// reasonAudit refuses a request that could not be recorded.
const reasonAudit authmin.Reason = "audit"

// auditLog writes one record for each decision to every sink. A sink that fails or
// hangs does not affect the others. No field contains a token: at most its fp6.
type auditLog struct {
	out      *slog.Logger // does not wait for a sink
	deciding slog.Handler // waits until a required sink has the record
	required int
	refusals refusalLog

	publicRequests refusalLog // requests on public routes
	started        eventCount // lockouts that began
	ended          eventCount // and that are over

	taken []AuditSink // to be given back
	start []func() error
	caddy *caddySink
}

// newAuditLog takes the sinks of a configuration; without any, Caddy's log. close
// gives them back, also after an error.
func newAuditLog(sinks []AuditSink, log *zap.Logger, m *metrics) (*auditLog, error) {
	if len(sinks) == 0 {
		sinks = []AuditSink{{Sink: sinkCaddy}}
	}
	a := &auditLog{publicRequests: refusalLog{each: recordedPublic, inAll: recordedPublicInAll}}
	if len(sinks) > maxAuditSinks {
		return a, fmt.Errorf("audit: %d sinks are over the limit of %d", len(sinks), maxAuditSinks)
	}
	var all, deciding []slog.Handler
	seen := map[string]bool{}
	for _, sink := range sinks {
		if err := sink.check(); err != nil {
			return a, err
		}
		if seen[sink.target()] {
			return a, fmt.Errorf("audit %s is given twice", sink.target())
		}
		seen[sink.target()] = true
		if sink.Sink == sinkCaddy {
			a.caddy = newCaddySink(log, m.sink(sinkCaddy))
			all, deciding = append(all, a.caddy), append(deciding, a.caddy)
			continue
		}
		pooled, err := sink.take(m)
		if err != nil {
			return a, fmt.Errorf("audit %s: %w", sink.Sink, err)
		}
		a.taken = append(a.taken, sink)
		a.start = append(a.start, func() error { return pooled.begin(sink) })
		all = append(all, sinkHandler{pooled.Sink, false})
		deciding = append(deciding, sinkHandler{pooled.Sink, sink.Required})
		if sink.Required {
			a.required++
		}
	}
	a.out = slog.New(slogmulti.Fanout(all...))
	a.deciding = slogmulti.Fanout(deciding...)
	return a, nil
}

// open opens the sinks; until then records wait. An error refuses the start.
func (a *auditLog) open() error {
	for i, start := range a.start {
		if err := start(); err != nil {
			return fmt.Errorf("audit %s: %w", a.taken[i].Sink, err)
		}
	}
	if a.caddy != nil {
		a.caddy.start()
	}
	return nil
}

// close writes the records that are due and gives the sinks back. Requests that are
// still in progress may write afterwards, to sinks that another configuration holds.
func (a *auditLog) close() {
	if a.out != nil {
		a.writeExpired(time.Now(), true)
	}
	for _, sink := range a.taken {
		_ = giveBackSink(sink.target()) // a sink that hangs has been reported
	}
	a.taken = nil
	if a.caddy != nil {
		a.caddy.end()
	}
}

// decision writes the record of one request. It reports false when sinks are
// required and none of them has the record: then the request must be refused. The
// status is that of the gateway's own answer, absent when the upstream answers.
func (a *auditLog) decision(r *http.Request, g *Guard, d *authmin.Decision, s *requestState) bool {
	level, event, decision := slog.LevelInfo, eventAllowed, decisionAllow
	if !d.Allow {
		level, event, decision = slog.LevelWarn, eventRefused, decisionRefuse
		if g.Shadow {
			decision = decisionWouldDeny
		}
	}
	ctx := r.Context()
	if !a.deciding.Enabled(ctx, level) {
		return true
	}
	status := 0
	if d.Problem != nil && !g.Shadow {
		status = d.Problem.Status
	}
	record := decisionRecords.Get().(*decisionRecord)
	defer record.giveBack()
	record.about(r, g, d, s)
	record.expendable = !d.Allow || d.Public
	if record.expendable {
		record.level, record.event, record.decision, record.reason, record.status = level, event, decision, string(d.Reason), status
		if a.holdExpendable(s, record) {
			return true
		}
	}
	record.says(level, event, decision, string(d.Reason), status)
	err := a.deciding.Handle(ctx, record.record())
	if err == nil || failedSinks(err) < a.required {
		return true
	}
	if d.Public || g.Shadow || a.required == 0 {
		return true
	}
	// The first record may still be written, and says otherwise.
	record.says(slog.LevelError, eventRefused, decisionRefuse, string(reasonAudit), problemNoAudit.Status)
	_ = a.out.Handler().Handle(ctx, record.record())
	return false
}

// failedSinks is the number of sinks in a fan-out's error.
func failedSinks(err error) int {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return len(joined.Unwrap())
	}
	return 1
}

// problemNoAudit answers a request that could not be recorded.
var problemNoAudit = authmin.Problem{
	Status: http.StatusServiceUnavailable, Code: "AUDIT_UNAVAILABLE", CodeNumber: 50301,
	Title: "The request could not be put on record",
	Hint:  "Try again later. The operator has to look at the audit sinks: a full disk, or a file that cannot be written.",
}

func tokenName(d *authmin.Decision) string {
	if d.Token == nil {
		return ""
	}
	return d.Token.Name
}
