package caddymodule

import (
	"io"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
)

// restrainTrailers holds a request's trailers to what its header is held to, or
// drops them. Some servers merge trailers into the header.
func (g *Guard) restrainTrailers(r *http.Request, allowed bool) {
	if r.Trailer == nil {
		return
	}
	g.cleanTrailer(r.Trailer)
	if !allowed || len(r.Trailer) == 0 {
		r.Trailer = nil
		delete(r.Header, "Trailer")
		return
	}
	r.Body = &trailerBody{ReadCloser: r.Body, trailer: r.Trailer, clean: g.cleanTrailer}
}

// trailerBody cleans the trailers where the body ends: net/http puts there what
// came, declared or not.
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

func (g *Guard) cleanTrailer(h http.Header) {
	delete(h, "Authorization")
	authmin.SanitizeHeader(h)
	g.dropTokens(h, time.Now())
}
