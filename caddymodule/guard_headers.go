package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// Caddy drops header fields whose names hold `_` or `.` before any handler runs, and
// has no hook that shows them: a request with x_forwarded_for looks to the guard like
// one without. The loopback bypass cannot be ended by what is not there; the README
// says so, and a test shows it. A server that is told to keep such names shows them.

// forwardingSamples are fields of which one comes with every proxy that says what it
// is.
var forwardingSamples = []string{
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded", "Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip",
	"X-Cluster-Client-Ip", "Cf-Connecting-Ip", "Cf-Ray", "Tailscale-User-Login", "Tailscale-Headers-Info", "Proxy-Connection", "X-Original-Forwarded-For",
}

// checkExpectedHeaders refuses a loopback bypass on a server whose
// expected_underscore_headers or expected_dot_headers name a forwarding header: Caddy
// then drops the ordinary spelling, X-Forwarded-For, and what comes through a proxy
// looks like a client on this machine.
func checkExpectedHeaders(server *caddyhttp.Server) error {
	for _, entry := range slices.Concat(server.ExpectedUnderscoreHeaders, server.ExpectedDotHeaders) {
		name, glob := strings.CutSuffix(entry, "*")
		dropped := http.CanonicalHeaderKey(strings.NewReplacer("_", "-", ".", "-").Replace(name))
		hides := authmin.HasForwardingHeader(http.Header{dropped: nil})
		if glob {
			hides = hides || slices.ContainsFunc(forwardingSamples, func(sample string) bool { return strings.HasPrefix(sample, dropped) })
		}
		if hides {
			return fmt.Errorf("optional: the server keeps the header %s, and so Caddy drops %s, by which a request through a proxy is known; leave optional off, or take it out of expected_underscore_headers and expected_dot_headers", entry, dropped)
		}
	}
	return nil
}
