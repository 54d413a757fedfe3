package poolmanager

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// concrete puts an id where a pattern has a parameter.
func concrete(path string) string { return strings.ReplaceAll(path, "{id}", "p") }

// TestAuthIntegration walks every route that the pool manager says it has, over
// real TCP: no credential, a wrong one, the gateway's with too little scope, and
// a caller's own with forged identity headers.
func TestAuthIntegration(t *testing.T) {
	var upstream authmin.Secret
	r := startRig(t, func(o *Options) { upstream = o.UpstreamToken })
	r.ready(t, "p", "demo", "")
	routes := Routes()
	if len(routes) < 13 {
		t.Fatalf("only %d routes are listed", len(routes))
	}
	own, gateway := "Bearer "+r.token.Reveal(), "Bearer "+upstream.Reveal()
	for _, route := range routes {
		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			path := concrete(route.Path)
			if route.Public {
				checkPublic(t, r, route)
				return
			}
			expect(t, r, route, 401, "MISSING_TOKEN", path)
			expect(t, r, route, 401, "MISSING_TOKEN", path, "X-Auth-Identity", "default", "X-Auth-Scopes", "admin")
			for _, wrong := range []string{"Bearer " + strings.Repeat("x", 43), own + "x", own[:len(own)-1], "Basic " + own[7:], "Bearer"} {
				expect(t, r, route, 401, "BAD_TOKEN", path, "Authorization", wrong)
			}
			expect(t, r, route, 401, "BAD_TOKEN", path, "Authorization", own, "Authorization", own)
			// A token in the query is no token.
			expect(t, r, route, 401, "MISSING_TOKEN", path+"?access_token="+r.token.Reveal()+"&token="+r.token.Reveal())
			expect(t, r, route, 403, "INSUFFICIENT_SCOPE", path, "Authorization", gateway)
			expect(t, r, route, 403, "INSUFFICIENT_SCOPE", path, "Authorization", gateway, "X-Auth-Identity", "ci")
			for _, scope := range authmin.AllScopes() {
				if !slices.Contains(route.Scopes, scope) && scope != authmin.ScopeAdmin {
					expect(t, r, route, 403, "INSUFFICIENT_SCOPE", path, "Authorization", gateway, "X-Auth-Identity", "ci", "X-Auth-Scopes", string(scope))
				}
			}
		})
	}
	t.Run("the right scope passes", func(t *testing.T) {
		for _, route := range routes {
			if route.Method != "GET" || route.Public {
				continue
			}
			for _, scope := range []authmin.Scope{route.Scopes[0], authmin.ScopeAdmin} {
				response, body := r.call(t, "GET", concrete(route.Path), "", "Authorization", gateway, "X-Auth-Identity", "ci", "X-Auth-Scopes", string(scope), "X-Auth-Models", "*")
				if response.StatusCode != 200 {
					t.Errorf("%s with %s: got %d %s", route.Path, scope, response.StatusCode, body)
				}
			}
		}
	})
	t.Run("a dispatch names a pool, whatever its model is: a list of models closes it", func(t *testing.T) {
		for _, route := range routes {
			if route.Public || route.Scopes[0] == authmin.ScopeMetrics {
				continue
			}
			for _, models := range [][]string{nil, {"X-Auth-Models", "tiny"}} {
				header := append([]string{"Authorization", gateway, "X-Auth-Identity", "ci", "X-Auth-Scopes", "admin"}, models...)
				response, body := r.call(t, route.Method, concrete(route.Path), "{}", header...)
				if response.StatusCode != 403 || !strings.Contains(body, `"code":"MODEL_NOT_ALLOWED"`) {
					t.Errorf("%s %s with %q: got %d %s", route.Method, route.Path, models, response.StatusCode, body)
				}
			}
		}
	})
	t.Run("a caller's own token ignores forged headers", func(t *testing.T) {
		response, body := r.call(t, "GET", "/pools", "", "Authorization", own, "X-Auth-Identity", "mallory", "X-Auth-Scopes", "metrics")
		if response.StatusCode != 200 {
			t.Errorf("scopes of a forged header were believed: %d %s", response.StatusCode, body)
		}
	})
	t.Run("GET /health and /ready are public only exactly", func(t *testing.T) {
		for _, target := range []string{"POST /health", "GET /health/", "GET //health", "GET /health%2f", "GET /Health", "GET /%68ealth", "GET /pools/../health", "GET /health/../pools", "POST /ready", "GET /ready/", "GET //ready", "GET /Ready"} {
			method, path, _ := strings.Cut(target, " ")
			if got := rawStatus(t, r.Addr(), method, path); got != 401 {
				t.Errorf("%s: got %d, want 401", target, got)
			}
		}
	})
	if strings.Contains(r.log.String(), r.token.Reveal()) || strings.Contains(r.log.String(), upstream.Reveal()) {
		t.Error("a token is in the log")
	}
}

func checkPublic(t *testing.T, r *rig, route Route) {
	t.Helper()
	want, ok := map[string]string{"/health": `"status":"ok"`, "/ready": `{"status":"ready"}`}[route.Path]
	if route.Method != "GET" || !ok {
		t.Fatalf("%s %s is public", route.Method, route.Path)
	}
	response, body := r.call(t, "GET", route.Path, "")
	if response.StatusCode != 200 || !strings.Contains(body, want) {
		t.Errorf("got %d %s", response.StatusCode, body)
	}
}

// expect sends a valid request, so that nothing but the credential is refused.
func expect(t *testing.T, r *rig, route Route, status int, code, path string, headers ...string) {
	t.Helper()
	body := ""
	if route.Method == "POST" {
		body = `{"template":"demo"}`
	}
	response, text := r.call(t, route.Method, path, body, headers...)
	var problem struct {
		Code          string
		CorrelationID string `json:"correlation_id"`
	}
	if err := json.Unmarshal([]byte(text), &problem); err != nil {
		t.Fatalf("got %d %q, which is no problem", response.StatusCode, text)
	}
	challenge := response.Header.Get("WWW-Authenticate")
	if response.StatusCode != status || problem.Code != code || !strings.HasPrefix(challenge, `Bearer realm="llorch"`) {
		t.Errorf("got %d %s %q, want %d %s", response.StatusCode, problem.Code, challenge, status, code)
	}
	if status == 403 && !strings.Contains(challenge, `scope="`+string(route.Scopes[0])+`"`) {
		t.Errorf("the challenge %q does not name %s", challenge, route.Scopes[0])
	}
	if problem.CorrelationID == "" || problem.CorrelationID != response.Header.Get("X-Correlation-Id") {
		t.Errorf("correlation id %q, header %q", problem.CorrelationID, response.Header.Get("X-Correlation-Id"))
	}
}

// rawStatus sends a request line that net/http's client would tidy up.
func rawStatus(t *testing.T, address, method, path string) int {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := fmt.Fprintf(connection, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func TestStartRefusesAnOpenAddressWithoutATokenAndEqualTokens(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"open address":  func(o *Options) { o.Listen, o.Token, o.UpstreamToken = "0.0.0.0:0", authmin.Secret{}, authmin.Secret{} },
		"equal tokens":  func(o *Options) { o.UpstreamToken = o.Token },
		"no runtime":    func(o *Options) { o.RuntimeDir = "" },
		"remote plain":  func(o *Options) { o.Address = "http://10.0.0.1:80" },
		"no token":      func(o *Options) { o.OrchestratorURL = "http://127.0.0.1:1" },
		"bad node id":   func(o *Options) { o.NodeID = "../x" },
		"bad preload":   func(o *Options) { o.Preload = []Preload{{PoolID: "p", Template: "none"}} },
		"bad template":  func(o *Options) { o.Templates[0].Slots = 0 },
		"same template": func(o *Options) { o.Templates = append(o.Templates, o.Templates[0]) },
	} {
		o := demoOptions(t)
		change(&o)
		if s, err := Start(t.Context(), o); err == nil {
			t.Errorf("%s: started on %s", name, s.Addr())
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

// net/http would answer `OPTIONS *` by itself, before any credential is asked for.
func TestAStarNeedsACredentialToo(t *testing.T) {
	r := startRig(t, nil)
	for _, method := range []string{"OPTIONS", "GET", "POST"} {
		if got := rawStatus(t, r.Addr(), method, "*"); got != 401 {
			t.Errorf("%s *: got %d, want 401", method, got)
		}
	}
}
