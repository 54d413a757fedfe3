package caddymodule

import (
	"net/http"

	"github.com/llorch/gateway/authmin"
)

// answerIDs are the fields of an answer that hold the correlation id: our own, and
// those whose value SDKs show with an error. Request-Id is Anthropic's.
var answerIDs = [...]string{authmin.HeaderCorrelationID, "X-Request-Id", "Request-Id"}

// idsOf are those of a dialect.
func idsOf(d authmin.Dialect) []string {
	if d == authmin.DialectAnthropic {
		return answerIDs[:]
	}
	return answerIDs[:len(answerIDs)-1]
}

// setIDs puts the correlation id on an answer that has not begun.
func (s *requestState) setIDs(h http.Header) {
	for _, name := range idsOf(s.dialect) {
		h[name] = s.field(s.id)
	}
}

// keepIDs replaces what an upstream has put in the place of the correlation id.
func (s *response) keepIDs() {
	h := s.Header()
	for _, name := range idsOf(s.dialect) {
		if len(h[name]) != 1 || h[name][0] != s.id {
			h[name] = []string{s.id}
		}
	}
}
