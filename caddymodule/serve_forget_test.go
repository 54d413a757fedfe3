package caddymodule

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// The gateway's credential and the identity are for the handlers behind the guard:
// what runs after an error, or after an answer, gets neither.
func TestTheUpstreamCredentialDoesNotSurviveTheGuard(t *testing.T) {
	for name, body := range map[string]string{
		"an error of the proxy":                  "reverse_proxy 127.0.0.1:1\nhandle_errors {\nreverse_proxy OTHER\n}",
		"an error of a handler":                  "error 500\nhandle_errors {\nreverse_proxy OTHER\n}",
		"an error route of one status":           "error 503\nhandle_errors 5xx {\nreverse_proxy OTHER\n}",
		"an answer intercepted before the guard": "",
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				for _, field := range []string{"Authorization", authmin.HeaderIdentity, authmin.HeaderScopes} {
					if value := r.Header.Get(field); value != "" {
						t.Errorf("the other upstream got %s", field)
						expectNoToken(t, value)
					}
				}
			})
			const guard = "authmin {\nrequire infer /*\nupstream_token {env.TEST_UPSTREAM}\n}\n"
			text := guard + body
			if body == "" {
				text = "route {\nintercept {\n@bad status 404\nhandle_response @bad {\nreverse_proxy OTHER\n}\n}\n" + guard + "respond 404\n}"
			}
			g := serve(t, true, twoTokens, strings.ReplaceAll(text, "OTHER", up.address()))
			for version, client := range clients(t) {
				before := asked.Load()
				g.ask(t, client, "GET", "/v1/x", asUser)
				if asked.Load() == before {
					t.Errorf("%s: the other upstream was not asked", version)
				}
			}
		})
	}
}
