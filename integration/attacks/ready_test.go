package attacks_test

import (
	"testing"
)

// readyPolicy opens readiness to everyone, and the state of a replica to a scope, as the
// shipped policies do.
const readyPolicy = `
		public GET,HEAD /health /ready
		require infer GET /v2/meta/capabilities /v2/meta/version
		require metrics GET /v2/meta/replica`

// readiness are requests for the policy readyPolicy: without a token, unless they have
// one. Every one that is not 200 must not reach the server.
var readiness = map[string]struct {
	method, path, token string
	headers             []string
	want                int
}{
	"as the rule has it":                  {"GET", "/ready", "", nil, 200},
	"HEAD":                                {"HEAD", "/ready", "", nil, 200},
	"with a query":                        {"GET", "/ready?verbose=1", "", nil, 200},
	"with a token":                        {"GET", "/ready", tokenOK, nil, 200},
	"another method":                      {"POST", "/ready", "", []string{"Content-Length: 0"}, 401},
	"OPTIONS":                             {"OPTIONS", "/ready", "", nil, 401},
	"TRACE":                               {"TRACE", "/ready", "", nil, 400},
	"a method in lower case":              {"get", "/ready", "", nil, 400},
	"another method, with a token":        {"DELETE", "/ready", tokenOK, nil, 403},
	"a body":                              {"GET", "/ready", "", []string{"Content-Length: 1"}, 400},
	"upper case":                          {"GET", "/Ready", "", nil, 401},
	"a slash at the end":                  {"GET", "/ready/", "", nil, 401},
	"below it":                            {"GET", "/ready/replica", "", nil, 401},
	"dots out of it":                      {"GET", "/ready/../v2/meta/replica", "", nil, 400},
	"encoded dots out of it":              {"GET", "/ready/%2e%2e/v2/meta/replica", "", nil, 400},
	"an encoded slash out of it":          {"GET", "/ready%2f..%2fv2%2fmeta%2freplica", "", nil, 400},
	"a parameter":                         {"GET", "/ready;/../v2/meta/replica", "", nil, 400},
	"the replica in a header":             {"GET", "/ready", "", []string{"X-Original-URL: /v2/meta/replica"}, 200},
	"the replica, no token":               {"GET", "/v2/meta/replica", "", nil, 401},
	"the replica, HEAD":                   {"HEAD", "/v2/meta/replica", "", nil, 401},
	"the replica, for inference":          {"GET", "/v2/meta/replica", tokenOK, nil, 403},
	"the replica, HEAD, for inference":    {"HEAD", "/v2/meta/replica", tokenOK, nil, 403},
	"the replica, upper case":             {"GET", "/v2/meta/Replica", tokenOK, nil, 403},
	"the replica, a slash at the end":     {"GET", "/v2/meta/replica/", tokenOK, nil, 403},
	"the replica, out of what is allowed": {"GET", "/v2/meta/version/../replica", tokenOK, nil, 400},
	"the replica, for an administrator":   {"GET", "/v2/meta/replica", tokenAdmin, nil, 200},
	"the version, for inference":          {"GET", "/v2/meta/version", tokenOK, nil, 200},
}

// TestReadinessIsOpenExactly sends them, and looks at what the server was asked.
func TestReadinessIsOpenExactly(t *testing.T) {
	t.Parallel()
	to := startListeners(t, gatewayKind{scheme: "http", guard: "plaintext", policy: readyPolicy})
	for name, c := range readiness {
		t.Run(name, func(t *testing.T) {
			headers := c.headers
			if c.token != "" {
				headers = append(headers, bearer(c.token))
			}
			got := ask(t, to.pub, c.method, c.path, headers...)
			reached := len(got.header["x-echo"]) > 0
			if got.status != c.want || reached != (c.want == 200) {
				t.Errorf("status %d, server asked: %t, want %d: %.300s", got.status, reached, c.want, got.body)
			}
		})
	}
}
