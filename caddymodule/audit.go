package caddymodule

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/llorch/gateway/authmin"
	slogmulti "github.com/samber/slog-multi"
	"go.uber.org/zap"
)

// Audit events of decisions and of a refused bind. The others are in audit_events.go.
const (
	eventAllowed     = "auth_success"
	eventRefused     = "auth_failed"
	eventBindRefused = "startup_bind_refused"
)

// The field `decision` of a record.
const (
	decisionAllow     = "allow"
	decisionRefuse    = "refuse"
	decisionWouldDeny = "would_deny" // a shadow guard or a shadow_budget let it through
)

// reasonAudit refuses a request that could not be recorded.
const reasonAudit authmin.Reason = "audit"

// auditLog writes one record for each decision to every sink. A sink that fails or
// hangs does not affect the others. No field contains a token: at most its fp6.
type auditLog struct {
	out      *slog.Logger // does not wait for a sink
	deciding slog.Handler // waits for a required sink
	required int
	refusals refusalLog

	publicRequests refusalLog // requests on public routes
	repeats        refusalLog // allowed requests of audit_summary
	started        eventCount // lockouts that began
	ended          eventCount // and those that ended

	acquired []AuditSink // to be released
	start    []func() error
	caddy    *caddySink
}

// newAuditLog acquires the sinks of a configuration; if it has none, Caddy's log. close
// releases them, also after an error. The other handlers get every record, and never wait.
func newAuditLog(sinks []AuditSink, log *zap.Logger, m *metrics, others ...slog.Handler) (*auditLog, error) {
	if len(sinks) == 0 {
		sinks = []AuditSink{{Sink: sinkCaddy}}
	}
	a := &auditLog{
		publicRequests: refusalLog{each: recordedPublic, inAll: recordedPublicInAll},
		repeats:        refusalLog{each: 1, window: repeatWindow, most: maxRepeats},
	}
	if len(sinks) > maxAuditSinks {
		return a, fmt.Errorf("audit: %d sinks are over the limit of %d", len(sinks), maxAuditSinks)
	}
	all, deciding := slices.Clone(others), slices.Clone(others)
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
		pooled, err := sink.acquire(m)
		if err != nil {
			return a, fmt.Errorf("audit %s: %w", sink.Sink, err)
		}
		a.acquired = append(a.acquired, sink)
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
			return fmt.Errorf("audit %s: %w", a.acquired[i].Sink, err)
		}
	}
	if a.caddy != nil {
		a.caddy.start()
	}
	return nil
}

// close writes the records that are due and releases the sinks. Requests in progress may
// write afterwards, to sinks that another configuration still holds.
func (a *auditLog) close() {
	if a.out != nil {
		a.writeExpired(time.Now(), true)
	}
	for _, sink := range a.acquired {
		_ = releaseSink(sink.target()) // the sink itself reports an error
	}
	a.acquired = nil
	if a.caddy != nil {
		a.caddy.end()
	}
}

// decision writes the record of one request. It returns false if sinks are required and
// none of them has the record: the request must then be refused. The status is that of
// the gateway's own answer, absent if the upstream answers.
func (a *auditLog) decision(r *http.Request, g *Guard, d *authmin.Decision, s *requestState) bool {
	level, event, decision := slog.LevelInfo, eventAllowed, decisionAllow
	switch labelOf(d, g.Shadow, s.would) {
	case labelledRefused:
		level, event, decision = slog.LevelWarn, eventRefused, decisionRefuse
	case labelledShadow:
		level, event, decision = slog.LevelWarn, eventRefused, decisionWouldDeny
	}
	reason := string(cmp.Or(d.Reason, s.would))
	ctx := r.Context()
	if !a.deciding.Enabled(ctx, level) {
		return true
	}
	status := 0
	if d.Problem != nil && !g.Shadow {
		status = d.Problem.Status
	} else if s.preflight && d.Allow {
		status = http.StatusNoContent
	}
	record := decisionRecords.Get().(*decisionRecord)
	defer record.recycle()
	record.setRequest(r, g, d, s)
	record.expendable = !d.Allow || d.Public
	if record.expendable {
		record.level, record.event, record.decision, record.reason, record.status = level, event, decision, reason, status
		if a.holdExpendable(s, record) {
			return true
		}
	}
	if event == eventAllowed && !d.Public && a.required == 0 && g.summarises(r, d) {
		record.level, record.event, record.decision, record.status = level, event, decision, status
		if a.holdRepeat(s, record) {
			return true
		}
	}
	record.setDecision(level, event, decision, reason, status)
	err := a.deciding.Handle(ctx, record.record())
	if err == nil || failedSinks(err) < a.required {
		return true
	}
	if d.Public || g.Shadow || a.required == 0 {
		return true
	}
	// A record that the request was allowed may still be written: correct it.
	record.setDecision(slog.LevelError, eventRefused, decisionRefuse, string(reasonAudit), problemNoAudit.Status)
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
	Title: "The audit record of the request could not be written",
	Hint:  "Try again later. The operator must check the audit sinks, such as for a full disk or a file that is not writable.",
}

func tokenName(d *authmin.Decision) string {
	if d.Token == nil {
		return ""
	}
	return d.Token.Name
}
