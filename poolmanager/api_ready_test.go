package poolmanager

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
)

// A pool manager that stops lives, and takes no work.
func TestAPoolManagerThatStopsIsNotReady(t *testing.T) {
	env := &environment{log: slog.New(slog.DiscardHandler)}
	a := newAPI(env, &manager{})
	for _, c := range []struct {
		stopping       bool
		ready, healthy string
	}{
		{false, `200 {"status":"ready"}`, `200 {"status":"ok","version":"` + Version + `"}`},
		{true, `503 {"status":"not_ready","reason":"draining"}`, `200 {"status":"ok","version":"` + Version + `"}`},
	} {
		env.stopping.Store(c.stopping)
		for path, want := range map[string]string{"/ready": c.ready, "/health": c.healthy} {
			w := httptest.NewRecorder()
			a.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if got := w.Result().Status[:3] + " " + strings.TrimSpace(w.Body.String()); got != want {
				t.Errorf("%s, stopping %t: got %s, want %s", path, c.stopping, got, want)
			}
		}
	}
}
