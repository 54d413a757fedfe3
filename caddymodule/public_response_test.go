package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestEachWayToBeginAnAnswerGivesTheSlotBack: the end of the request gives it back too, and
// would hide that a stream keeps the slot as long as it lasts.
func TestEachWayToBeginAnAnswerGivesTheSlotBack(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(*publicResponse)
		held  int
	}{
		"a header":          {func(w *publicResponse) { w.WriteHeader(http.StatusOK) }, 0},
		"an upgrade":        {func(w *publicResponse) { w.WriteHeader(http.StatusSwitchingProtocols) }, 0},
		"a body":            {func(w *publicResponse) { _, _ = w.Write([]byte("x")) }, 0},
		"a copied body":     {func(w *publicResponse) { _, _ = w.ReadFrom(strings.NewReader("x")) }, 0},
		"a flush":           {func(w *publicResponse) { _ = w.FlushError() }, 0},
		"a hijack":          {func(w *publicResponse) { _, _, _ = w.Hijack() }, 0}, // the recorder refuses it
		"an interim header": {func(w *publicResponse) { w.WriteHeader(http.StatusEarlyHints) }, 1},
		"nothing":           {func(*publicResponse) {}, 1},
	} {
		limiter := newLimiter()
		slot := acquireNow(t, limiter, clientA, publicRule{inflight: 1, total: 1})
		slot.bodyEnds()
		inner := &response{request: httptest.NewRequest("GET", "/", nil)}
		inner.ResponseWriter = httptest.NewRecorder()
		c.begin(&publicResponse{response: inner, slot: slot})
		if limiter.total != c.held {
			t.Errorf("%s: %d slots are held, want %d", name, limiter.total, c.held)
		}
	}
}
