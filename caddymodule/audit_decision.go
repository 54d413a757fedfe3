package caddymodule

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
)

// decisionRecord is the audit record of one request, before it is encoded. It passes
// through log/slog as one attribute: [sinkHandler] writes its JSON line, and other
// handlers resolve it to its fields with [decisionRecord.LogValue]. It is reused for
// another request when the sinks have returned.
type decisionRecord struct {
	time                               time.Time
	level                              slog.Level
	seq                                uint64
	event, decision, guard             string
	identity, token, fp6               string
	reason, rule                       string
	method, path, host                 string
	remote                             netip.Addr
	clientIP, userAgent, correlationID string
	status                             int    // 0 where the upstream answers
	model                              string // that the guard read in the request; "": it read none

	expendable bool // a refusal, or a request on a public route: see [trail.Record]

	// Of a summary, which replaces the records of many requests.
	count   int       // 0 for a record of one request
	reasons string    // the count of each reason
	since   time.Time // the first request of the window

	line []byte // as JSON, once a sink has asked for it
}

var decisionRecords = sync.Pool{New: func() any {
	return &decisionRecord{line: make([]byte, 0, trail.MaxRecord)}
}}

// setRequest sets the fields of a request. It bounds the text of the client.
func (d *decisionRecord) setRequest(r *http.Request, g *Guard, decision *authmin.Decision, s *requestState) {
	path, _, _ := strings.Cut(s.target, "?")
	d.guard = g.Name
	d.identity, d.token, d.fp6 = decision.Identity, tokenName(decision), decision.Fingerprint
	d.rule = authmin.CleanText(g.policy.RuleText(decision.Rule), authmin.MaxLoggedHost) // a rule may have 256 paths
	if s.preflight && decision.Allow {
		d.rule = "cors"
	}
	d.method = authmin.CleanField(r.Method, authmin.MaxLoggedMethod)
	if s.leaks {
		path = g.app.store.leaks.Redact(path)
	}
	d.path = authmin.CleanPath(path, authmin.MaxLoggedPath)
	d.host = authmin.CleanField(r.Host, authmin.MaxLoggedHost)
	d.remote = s.peer
	d.clientIP = s.clientIP
	d.userAgent = authmin.CleanField(r.UserAgent(), authmin.MaxLoggedUserAgent)
	d.correlationID = s.id
	if s.models != "" {
		d.model = authmin.CleanText(g.app.store.leaks.Redact(s.models), authmin.MaxLoggedHost)
	}
}

// setDecision sets the decision, and the sequence number of the record.
func (d *decisionRecord) setDecision(level slog.Level, event, decision, reason string, status int) {
	d.time, d.level, d.seq = time.Now(), level, trail.NextSeq()
	d.event, d.decision, d.reason, d.status = event, decision, reason, status
	d.line = d.line[:0]
}

// record wraps d for the fan-out of handlers.
func (d *decisionRecord) record() slog.Record {
	r := slog.NewRecord(d.time, d.level, d.event, 0)
	r.AddAttrs(slog.Any("", d))
	return r
}

// decisionOf returns the decision in a record; nil for a record of another event.
func decisionOf(r *slog.Record) (d *decisionRecord) {
	if r.NumAttrs() == 1 {
		r.Attrs(func(a slog.Attr) bool {
			d, _ = a.Value.Any().(*decisionRecord)
			return false
		})
	}
	return d
}

// LogValue implements [slog.LogValuer]: the fields, in the order of
// [decisionRecord.json]. The attribute has an empty key, so that they are at the top
// level of the record.
func (d *decisionRecord) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.Uint64("seq", d.seq),
		slog.String("event", d.event), slog.String("decision", d.decision), slog.String("guard", d.guard),
		slog.String("identity", d.identity), slog.String("token", d.token), slog.String("fp6", d.fp6),
		slog.String("reason", d.reason), slog.String("rule", d.rule),
		slog.String("method", d.method), slog.String("path", d.path), slog.String("host", d.host),
		slog.String("remote_ip", string(appendAddr(nil, d.remote))), slog.String("client_ip", d.clientIP),
		slog.String("user_agent", d.userAgent), slog.String("correlation_id", d.correlationID),
	}
	if d.status != 0 {
		attrs = append(attrs, slog.Int("status", d.status))
	}
	if d.model != "" {
		attrs = append(attrs, slog.String("model", d.model))
	}
	return slog.GroupValue(append(attrs, d.summaryAttrs()...)...)
}

// json returns the record as one line, without the line end: the same bytes that
// [trail.AppendRecord] writes for its fields. It encodes once for all sinks.
func (d *decisionRecord) json() []byte {
	if len(d.line) > 0 {
		return d.line
	}
	line := trail.StartLine(d.line, d.time, d.level)
	line.Uint("seq", d.seq)
	line.Text("event", d.event)
	line.Text("decision", d.decision)
	line.Text("guard", d.guard)
	line.Text("identity", d.identity)
	line.Text("token", d.token)
	line.Text("fp6", d.fp6)
	line.Text("reason", d.reason)
	line.Text("rule", d.rule)
	line.Text("method", d.method)
	line.Text("path", d.path)
	line.Text("host", d.host)
	var remote [64]byte // on the stack
	line.Text("remote_ip", string(appendAddr(remote[:0], d.remote)))
	line.Text("client_ip", d.clientIP)
	line.Text("user_agent", d.userAgent)
	line.Text("correlation_id", d.correlationID)
	if d.status != 0 {
		line.Int("status", int64(d.status))
	}
	if d.model != "" {
		line.Text("model", d.model)
	}
	if d.count != 0 {
		line.Int("count", int64(d.count))
		line.Text("reasons", d.reasons)
		line.Time("since", d.since)
	}
	d.line = line.End()
	return d.line
}

// appendAddr appends an address, or nothing for the zero address.
func appendAddr(dst []byte, addr netip.Addr) []byte {
	if !addr.IsValid() {
		return dst
	}
	return addr.AppendTo(dst)
}

// recycle returns a record to the pool.
func (d *decisionRecord) recycle() {
	*d = decisionRecord{line: d.line[:0]} // keep no text of this request
	decisionRecords.Put(d)
}
