package httpapi

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator"
)

// TestAnAnswerThatCannotBeReadSaysWhy: only a stop is reported as STOPPING, and
// an unexpected error goes to the log, not to the client.
func TestAnAnswerThatCannotBeReadSaysWhy(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
		again  string // Retry-After
		logged bool
	}{
		{orchestrator.ErrStopping, 503, "STOPPING", "1", false},
		{errors.New("disk on fire"), 500, "INTERNAL", "", true},
	} {
		var log bytes.Buffer
		w := httptest.NewRecorder()
		talk := &conversation{a: &API{log: slog.New(slog.NewTextHandler(&log, nil))}, id: "task"}
		talk.answer(w, httptest.NewRequest("POST", "/v1/embeddings", nil), nil, ended{}, c.err)
		if w.Code != c.status || !strings.Contains(w.Body.String(), `"`+c.code+`"`) || strings.Contains(w.Body.String(), "fire") {
			t.Errorf("%v: got %d %s, want %d %s", c.err, w.Code, w.Body, c.status, c.code)
		}
		if got := w.Header().Get("Retry-After"); got != c.again {
			t.Errorf("%v: Retry-After is %q, want %q", c.err, got, c.again)
		}
		if strings.Contains(log.String(), c.err.Error()) != c.logged {
			t.Errorf("%v: logged %q", c.err, &log)
		}
	}
}
