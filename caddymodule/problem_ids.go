package caddymodule

import "net/http"

// setIDs puts the correlation id on an answer that has not begun.
func (s *requestState) setIDs(h http.Header) {
	for _, name := range s.dialect.IDHeaders() {
		h[name] = s.field(s.id)
	}
}

// keepIDs replaces what an upstream has put in the place of the correlation id.
func (s *response) keepIDs() {
	h := s.Header()
	for _, name := range s.dialect.IDHeaders() {
		if len(h[name]) != 1 || h[name][0] != s.id {
			h[name] = []string{s.id}
		}
	}
}
