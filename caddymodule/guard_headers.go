package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// Caddy drops header fields with `_` or `.` in their names before any handler runs, so
// that the guard cannot see x_forwarded_for. Such a field therefore does not end the
// loopback bypass; the README documents it, and a test shows it. A server can be
// configured to keep such names.

// forwardingSamples are forwarding headers. Every common proxy adds at least one of them.
var forwardingSamples = []string{
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded", "Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip",
	"X-Cluster-Client-Ip", "Cf-Connecting-Ip", "Cf-Ray", "Tailscale-User-Login", "Tailscale-Headers-Info", "Proxy-Connection", "X-Original-Forwarded-For",
}

// checkExpectedHeaders refuses the loopback bypass on a server whose
// expected_underscore_headers or expected_dot_headers name a forwarding header: Caddy
// then drops the usual spelling, X-Forwarded-For, and a request through a proxy would
// count as one from this machine.
func checkExpectedHeaders(server *caddyhttp.Server) error {
	for _, entry := range slices.Concat(server.ExpectedUnderscoreHeaders, server.ExpectedDotHeaders) {
		name, glob := strings.CutSuffix(entry, "*")
		dropped := http.CanonicalHeaderKey(strings.NewReplacer("_", "-", ".", "-").Replace(name))
		hides := authmin.HasForwardingHeader(http.Header{dropped: nil})
		if glob {
			hides = hides || slices.ContainsFunc(forwardingSamples, func(sample string) bool { return strings.HasPrefix(sample, dropped) })
		}
		if hides {
			return fmt.Errorf("optional: the server keeps the header %s, so that Caddy drops %s, which identifies a request through a proxy; turn optional off, or remove the header from expected_underscore_headers and expected_dot_headers", entry, dropped)
		}
	}
	return nil
}
