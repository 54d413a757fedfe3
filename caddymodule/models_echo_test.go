package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptest"
)

// newEcho is a server that passes on each request and its body.
func newEcho(bodies chan<- string, seen chan<- *http.Request) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
		seen <- r
	}))
}
