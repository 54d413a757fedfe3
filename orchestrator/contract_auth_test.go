package orchestrator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/httpapi"
)

// pathOf fills the parameters of a route's pattern.
func pathOf(r httpapi.Route) string { return strings.ReplaceAll(r.Path, "{id}", "some-id") }

func TestAuthIntegration(t *testing.T) {
	s := start(t, app.Options{})
	routes := httpapi.Routes()
	if len(routes) < 20 {
		t.Fatalf("only %d routes", len(routes))
	}
	for _, route := range routes {
		t.Run(route.Method+" "+route.Path, func(t *testing.T) {
			s := &service{addr: s.addr, t: t, direct: s.direct, gate: s.gate}
			plain := s.request("x", "admin", route.Method, pathOf(route), "{}")
			plain.Header.Del("Authorization") // identity headers alone are nothing
			if route.Public {
				if got, _, _ := s.send(plain); got != 200 || route.Path != "/health" && route.Path != "/ready" || route.Method != "GET" {
					t.Fatalf("got %d; only GET /health and /ready are public", got)
				}
				return
			}
			if len(route.Scopes) == 0 {
				t.Fatal("needs no scope")
			}
			refused(t, s, plain, 401, "MISSING_TOKEN", `Bearer realm="llorch"`)
			for name, credential := range map[string]string{
				"wrong":     "Bearer " + authmin.RandomSecret().Reveal(),
				"cut":       "Bearer " + s.direct.Reveal()[:42],
				"longer":    "Bearer " + s.direct.Reveal() + "x",
				"basic":     "Basic " + s.direct.Reveal(),
				"malformed": "Bearer a b",
			} {
				r := s.request("x", "admin", route.Method, pathOf(route), "{}")
				r.Header.Set("Authorization", credential)
				t.Log(name)
				refused(t, s, r, 401, "BAD_TOKEN", `error="invalid_token"`)
			}
			scopeWalk(t, s, route)
		})
	}
}

// scopeWalk tries every scope of the shipped policy: only the route's own and
// admin get past the check, whatever the handler then says.
func scopeWalk(t *testing.T, s *service, route httpapi.Route) {
	for _, scope := range append(authmin.AllScopes(), "", "adminx", "other") {
		r := s.request("x", string(scope), route.Method, pathOf(route), "{}")
		want := scope == authmin.ScopeAdmin
		for _, needed := range route.Scopes {
			want = want || scope == needed
		}
		if want {
			if got, _, body := s.send(r); got == 401 || got == 403 {
				t.Errorf("scope %s: got %d %v", scope, got, body)
			}
			continue
		}
		refused(t, s, r, 403, "INSUFFICIENT_SCOPE", fmt.Sprintf(`error="insufficient_scope", scope="%s"`, route.Scopes[0]))
	}
	anonymous := s.request("", "admin", route.Method, pathOf(route), "{}")
	anonymous.Header.Del("X-Auth-Identity")
	refused(t, s, anonymous, 403, "INSUFFICIENT_SCOPE", "insufficient_scope")
}

func refused(t *testing.T, s *service, r *http.Request, status int, code, challenge string) {
	t.Helper()
	got, header, body := s.send(r)
	dialect := authmin.DialectOf(r.URL.Path, r.Header)
	said := body
	if dialect == authmin.DialectAnthropic {
		said, _ = body["error"].(map[string]any)
	}
	if got != status || said["code"] != code || !strings.Contains(header.Get("WWW-Authenticate"), challenge) {
		t.Errorf("got %d %v %q, want %d %s %q", got, said["code"], header.Get("WWW-Authenticate"), status, code, challenge)
	}
	if header.Get("Content-Type") != dialect.ContentType() || header.Get("Cache-Control") != "no-store" ||
		header.Get("X-Content-Type-Options") != "nosniff" || header.Get("X-Correlation-Id") == "" {
		t.Errorf("headers of a refusal: %v", header)
	}
}

func TestUnknownRoutesNeedACredential(t *testing.T) {
	s := start(t, app.Options{})
	for _, r := range []*http.Request{
		s.request("", "", "GET", "/nothing", nil), s.request("", "", "PUT", "/v2/tasks", nil),
		s.request("", "", "POST", "/health", nil), s.request("", "", "GET", "/health/", nil),
		s.request("", "", "POST", "/ready", nil), s.request("", "", "GET", "/ready/", nil),
		s.request("", "", "GET", "/%68ealth", nil), s.request("", "", "GET", "/docs", nil), s.request("", "", "GET", "/schemas/Task.json", nil),
	} {
		r.Header.Del("Authorization")
		want := 401
		if r.URL.RawPath == "" && r.Method == "GET" && r.URL.Path == "/health" {
			want = 200 // %68 is h: net/http gives no raw path
		}
		if got, _, _ := s.send(r); got != want {
			t.Errorf("%s %s: got %d, want %d", r.Method, r.URL, got, want)
		}
	}
	s.want(404, "ci", "infer", "GET", "/nothing", nil)
	s.want(404, "ci", "infer", "GET", "//v2/tasks", nil)
	s.want(404, "ci", "infer", "GET", "/v2/../v2/tasks", nil)
	s.want(405, "ci", "infer", "PUT", "/v2/tasks", nil)
}

func TestACallersOwnTokenIsThatCaller(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 1)
	forged := s.request("root", "nodes", "POST", "/v2/tasks", task(""))
	forged.Header.Set("Authorization", "Bearer "+s.direct.Reveal())
	status, _, admission := s.send(forged)
	if status != 202 {
		t.Fatalf("got %d %v, want 202: the default identity has every scope", status, admission)
	}
	record := s.want(200, "boss", "admin", "GET", "/v2/tasks/"+admission["task_id"].(string), nil)
	if record["owner"] != "default" {
		t.Errorf("got owner %v, want default", record["owner"])
	}
}

func TestARefusedStartSaysWhy(t *testing.T) {
	one := authmin.RandomSecret()
	for name, c := range map[string]struct {
		o    app.Options
		want string
	}{
		"exposed without a token": {app.Options{Listen: "0.0.0.0:0"}, "NON_LOOPBACK_WITHOUT_TOKEN"},
		"equal tokens":            {app.Options{Listen: "127.0.0.1:0", Token: one, UpstreamToken: one}, "must differ"},
		"a short token":           {app.Options{Listen: "127.0.0.1:0", Token: authmin.NewSecret("short")}, "32"},
		"no state directory":      {app.Options{Listen: "127.0.0.1:0", Token: one}, "state directory"},
		"a taken port":            {app.Options{Listen: start(t, app.Options{}).Addr(), Token: one}, "address already in use"},
	} {
		if c.want != "state directory" {
			c.o.StateDir = t.TempDir()
		}
		service, err := app.Start(t.Context(), c.o)
		if err == nil {
			service.Stop(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line with %q", name, err, c.want)
		}
	}
}
