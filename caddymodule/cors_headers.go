package caddymodule

import (
	"net/http"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// allowedHeaders are the fields that pages may send, beyond those that every page may.
var allowedHeaders = []string{
	"authorization", "content-type", "x-api-key", "idempotency-key", "last-event-id",
	"x-correlation-id", "x-deadline-ms", "x-session-id", "traceparent",
}

// allowedFamilies begin the names of further ones, which SDKs add to.
var allowedFamilies = []string{"x-stainless-", "anthropic-", "openai-"}

// maxFamilyName bounds a name of a family; SDKs have none that is longer.
const maxFamilyName = 64

// exposedHeaders are the fields of an answer that pages may read, beyond those that
// every page may.
var exposedHeaders = []string{
	"Retry-After", "Request-Id", "X-Request-Id", "X-Correlation-Id", "X-Task-Id", "X-Model-Used", "X-Should-Retry",
	"Ratelimit", "Ratelimit-Policy",
}

// exposedFamily begins the names of further ones.
const exposedFamily = "X-Ratelimit-"

// exposed is the value of Access-Control-Expose-Headers without a name of the family.
var exposed = strings.Join(exposedHeaders, ", ")

// allowedHeaders are all of the list, and those of the families that a preflight asks
// for: a family cannot be named as such.
func (g *Guard) allowedHeaders(asked []string) []string {
	names := slices.Clone(allowedHeaders)
	for _, name := range asked {
		if isOfFamily(name) && !slices.Contains(names, name) && !g.app.store.leaks.ContainsTokenFolded(name) {
			names = append(names, name)
		}
	}
	return names
}

// isOfFamily accepts names in lower case, as browsers send them.
func isOfFamily(name string) bool {
	return len(name) <= maxFamilyName &&
		slices.ContainsFunc(allowedFamilies, func(family string) bool { return len(name) > len(family) && strings.HasPrefix(name, family) }) &&
		!strings.ContainsFunc(name, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' })
}

// isOfBrowsers reports whether a field tells browsers what pages of other origins may
// read.
func isOfBrowsers(name string) bool {
	const prefix = "Access-Control-"
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) || strings.EqualFold(name, "Timing-Allow-Origin")
}

// keepCORS makes an answer, which has not begun, say what the guard's `cors` does, and
// nothing that an upstream has put there. The guard calls it before any handler, too: an
// error of Caddy's own is answered without them.
func (s *response) keepCORS() {
	if s.cors == nil {
		return
	}
	h := s.Header()
	dropBrowsers(h)
	if s.origin != "" {
		h[headerAllowOrigin] = []string{s.origin}
		h[headerExposeHeaders] = []string{exposedOf(h)}
	}
	for _, line := range h["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(name), authmin.HeaderOrigin) {
				return
			}
		}
	}
	h["Vary"] = append(h["Vary"], authmin.HeaderOrigin)
}

// exposedOf is what pages may read of an answer.
func exposedOf(h http.Header) string {
	var more []string
	for name := range h {
		if strings.HasPrefix(name, exposedFamily) {
			more = append(more, name)
		}
	}
	if len(more) == 0 {
		return exposed
	}
	slices.Sort(more)
	return exposed + ", " + strings.Join(more, ", ")
}

// dropBrowsers removes the fields for browsers from an answer, and from its trailers.
func dropBrowsers(h http.Header) {
	for name, values := range h {
		switch {
		case isOfBrowsers(strings.TrimPrefix(name, http.TrailerPrefix)):
			delete(h, name)
		case name == "Trailer":
			if kept := withoutBrowsers(values); len(kept) > 0 {
				h[name] = kept
			} else {
				delete(h, name)
			}
		}
	}
}

// withoutBrowsers are announced trailers without those fields.
func withoutBrowsers(lines []string) (kept []string) {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" && !isOfBrowsers(name) {
				kept = append(kept, name)
			}
		}
	}
	return kept
}

// dropTrailers removes the fields for browsers from trailers that were not announced,
// when the handlers have returned.
func (s *response) dropTrailers() {
	if s.cors != nil {
		for name := range s.Header() {
			if trailer, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && isOfBrowsers(trailer) {
				delete(s.Header(), name)
			}
		}
	}
}
