package caddymodule

import (
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/llorch/gateway/authmin"
	"golang.org/x/net/http/httpguts"
)

// sanitizeTrailers applies the rules of the header to a request's trailers, or drops
// them. Some servers merge trailers into the header.
func (g *Guard) sanitizeTrailers(r *http.Request, s *requestState, allowed bool) {
	if r.Trailer == nil {
		return
	}
	g.sanitizeTrailer(r.Trailer, s)
	if !allowed || len(r.Trailer) == 0 {
		r.Trailer = nil
		delete(r.Header, "Trailer")
		return
	}
	declared := make(http.Header, len(r.Trailer))
	maps.Copy(declared, r.Trailer)
	r.Body = &trailerBody{ReadCloser: r.Body, trailer: r.Trailer, clean: func(h http.Header) {
		maps.DeleteFunc(h, func(name string, _ []string) bool { _, ok := declared[name]; return !ok })
		g.sanitizeTrailer(h, s)
	}}
}

// trailerBody sanitizes the trailers at the end of the body, when net/http has added all
// that the client sent. Trailers that were not declared are removed.
type trailerBody struct {
	io.ReadCloser
	trailer http.Header
	clean   func(http.Header)
}

// Read implements [io.Reader].
func (b *trailerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.clean(b.trailer)
	}
	return n, err
}

// sanitizeTrailer removes what may not be in a trailer (RFC 9110 §6.5.1): fields that
// frame or route a request, or state its sender or origin. Go checks declared trailers
// only, and Caddy drops ambiguous names from the header only.
func (g *Guard) sanitizeTrailer(h http.Header, s *requestState) {
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return !httpguts.ValidTrailerHeader(name) || strings.ContainsAny(name, "_.") ||
			name == "Cookie" || name == authmin.HeaderCorrelationID || authmin.HasForwardingHeader(http.Header{name: nil})
	})
	g.dropCredentials(h)
	s.sanitizeCORS(h)
	authmin.SanitizeHeader(h)
	g.dropTokens(h)
}
