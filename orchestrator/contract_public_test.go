package orchestrator_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/llorch/gateway/orchestrator/app"
)

// What strangers read is the status, and nothing of the fleet: not in the body, not in a
// header, and not more with a token.
func TestThePublicRoutesTellNothingElse(t *testing.T) {
	s := start(t, app.Options{Version: "9.8.7-canary"})
	s.join("canary-node", newPool(t, echo(1)), 1)
	allowed := []string{"Cache-Control", "Content-Length", "Content-Type", "Date", "X-Content-Type-Options", "X-Correlation-Id", "X-Request-Id"}
	for path, want := range map[string]string{"/health": `{"status":"ok"}`, "/ready": `{"status":"ready"}`} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for _, scope := range []string{"", "admin"} {
				status, header, body := s.send(s.request(scope, scope, method, path, nil))
				if method == http.MethodHead {
					want = `null`
				}
				text, err := json.Marshal(body)
				if err != nil || status != http.StatusOK || string(text) != want {
					t.Errorf("%s %s as %q: got %d %s, %v, want %s", method, path, scope, status, text, err, want)
				}
				for name := range header {
					if !slices.Contains(allowed, name) {
						t.Errorf("%s %s: header %s: %q", method, path, name, header[name])
					}
				}
			}
		}
	}
}
