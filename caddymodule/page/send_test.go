package page

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
)

func always() bool { return true }

// An event that is too long is replaced, and a text of the event cannot begin another.
func TestAnEventIsBoundedAndOneLine(t *testing.T) {
	w := httptest.NewRecorder()
	s := open(w, httptest.NewRequest(http.MethodGet, livePath, nil), time.Minute, always)
	for _, text := range []string{"a\n\nevent: hello\ndata: {}", "</script>", strings.Repeat("x", maxMessage)} {
		if err := s.send("fleet", fleet{Problem: text}); err != nil {
			t.Fatal(err)
		}
	}
	got := w.Body.String()
	if strings.Count(got, "\n\n") != 3 || strings.Count(got, "event: ") != 4 || strings.Contains(got, "<") || !strings.HasSuffix(got, "event: omitted\ndata: {\"event\":\"fleet\"}\n\n") {
		t.Errorf("got %.600q", got)
	}
}

// Nothing is written any more when the request has ended, as it does with its token.
func TestNothingIsSentAfterTheEnd(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	w := httptest.NewRecorder()
	s := open(w, httptest.NewRequestWithContext(ctx, http.MethodGet, livePath, nil), time.Minute, always)
	end()
	if err := s.send("counts", counts{}); !errors.Is(err, context.Canceled) || w.Body.Len() != 0 {
		t.Errorf("got %v, and %q was written", err, w.Body)
	}
}

// Records that JSON writes longer than they are still fit into an event.
func TestRecordsFitIntoAnEvent(t *testing.T) {
	record := json.RawMessage(`"` + strings.Repeat("<", trail.MaxRecord-2) + `"`)
	text, err := json.Marshal(slices.Repeat([]json.RawMessage{record}, recordsAtOnce))
	if err != nil || len(text) > maxMessage || recordsAtOnce < 1 {
		t.Errorf("%d records have %d bytes (%v), want at most %d", recordsAtOnce, len(text), err, maxMessage)
	}
}

// The page has a text for each reason of a refusal.
func TestReasonsHaveAText(t *testing.T) {
	script, err := embedded.ReadFile("files/page.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range authmin.Reasons() {
		if !strings.Contains(string(script), string(reason)+": \"") {
			t.Errorf("the page has no text for the reason %s", reason)
		}
	}
}
