package caddymodule

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/llorch/gateway/authmin"
)

const (
	// repeatWindow is the time in which the repeated requests of audit_summary share a
	// summary: a heartbeat each 10 s makes 12 records an hour in place of 360.
	repeatWindow = 10 * time.Minute
	// maxRepeats bounds the requests of audit_summary with a count of their own, up to
	// 4 KiB each. Beyond it each has a record.
	maxRepeats = 4096
)

// RequestsConfig are requests of some methods on some paths.
type RequestsConfig struct {
	// Exact, or a prefix that ends in /*.
	Paths []string `json:"paths"`
	// Upper case. None: every method.
	Methods []string `json:"methods,omitempty"`
}

// parseAuditSummary reads the option. Syntax:
//
//	audit_summary [<METHOD,...>] <path...>
func (g *Guard) parseAuditSummary(d *caddyfile.Dispenser, args []string) error {
	methods, paths, err := cutMethods("audit_summary", args)
	if err != nil {
		return d.Errf("audit_summary: %v", err)
	}
	if len(paths) == 0 {
		return d.Err("want audit_summary [METHODS] PATH…, such as `audit_summary POST /v2/nodes/*`")
	}
	config := RequestsConfig{Paths: paths, Methods: methods}
	if err := authmin.Requests(config).Check(); err != nil {
		return d.Errf("audit_summary: %v", err)
	}
	g.AuditSummary = append(g.AuditSummary, config)
	return nil
}

func (g *Guard) checkAuditSummary() error {
	for _, config := range g.AuditSummary {
		if err := authmin.Requests(config).Check(); err != nil {
			return err
		}
	}
	return nil
}

// summarises reports whether an allowed request is one of audit_summary.
func (g *Guard) summarises(r *http.Request, d *authmin.Decision) bool {
	return slices.ContainsFunc(g.AuditSummary, func(c RequestsConfig) bool { return authmin.Requests(c).Match(r.Method, d.Path) })
}

// holdRepeat reports whether an allowed request is counted instead of recorded: another
// one with the same guard, identity, address, method and path has a record in this window.
// One whose path is not recorded as it is, because it is long or has a token in it, is
// never held: another path could hide behind it.
func (a *auditLog) holdRepeat(s *requestState, d *decisionRecord) bool {
	if path, _, _ := strings.Cut(s.target, "?"); path != d.path {
		return false
	}
	key := refusalKey{client: d.remote, token: strings.Join([]string{d.guard, d.identity, d.token, d.clientIP, d.method, d.path}, " ")}
	held, due := a.repeats.hold(key, d, time.Now())
	if due != nil {
		a.writeSummary(due)
	}
	return held
}
