package canary_test

import (
	"slices"
	"testing"
)

// tracedPlaces are what Caddy's tracing puts into a span before any handler of
// ours has seen the request: the path, Host, User-Agent and X-Forwarded-For. No
// guard can keep them out; who exports traces has to filter in the collector.
var tracedPlaces = []string{"path segment", "fragment", "ambiguous path", "Host", "User-Agent", "X-Forwarded-For"}

// judgeTraces: no span holds a token, but for what tracing takes by itself.
func (p *planted) judgeTraces(t *testing.T, spans string) {
	t.Helper()
	for _, c := range append(p.secrets.all(), values(p.refused)...) {
		if c.in(spans) {
			t.Errorf("a span holds the token planted as %q: %s", c.name, excerpt(spans, c))
		}
	}
	for where, c := range p.inPlaces {
		if c.in(spans) != slices.Contains(tracedPlaces, where) {
			t.Errorf("the token in the place %q in a span: %v, which differs from tracedPlaces: %s", where, c.in(spans), excerpt(spans, c))
		}
	}
}

// judgeUpstream: what the upstream saw holds no credential of a client's. What a
// client puts elsewhere for the upstream passes, and which places those are is
// part of the test.
func (p *planted) judgeUpstream(t *testing.T, saw string) {
	t.Helper()
	if !p.upstream.in(saw) {
		t.Error("the upstream did not get the gateway's own token")
	}
	mine := []canary{p.valid, p.expired, p.revoked, p.future, p.env}
	for _, c := range append(mine, values(p.refused)...) {
		if c.in(saw) {
			t.Errorf("the upstream saw the token planted as %q: %s", c.name, excerpt(saw, c))
		}
	}
	for _, where := range places {
		if c := p.inPlaces[where.name]; c.in(saw) != where.forwarded {
			t.Errorf("the upstream saw the token in the place %q: %v, want %v: %s", where.name, c.in(saw), where.forwarded, excerpt(saw, c))
		}
	}
}

func values(m map[string]canary) []canary {
	var all []canary
	for _, c := range m {
		all = append(all, c)
	}
	return all
}
