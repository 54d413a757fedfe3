package caddymodule

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/integration/testkit"
	"pgregory.net/rapid"
)

// For any arrangement of routes and guards: when a request
// without a token reaches the handler `metrics` in a running Caddy, lint has said
// that it is open.
func TestHandlersReportedAsGuardedCannotBeReachedWithoutAGuard(t *testing.T) {
	address := testkit.FreeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	loaded, open, reached := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		g := siteGenerator{rt}
		text := options(silent, twoTokens) + "&(named) {\n" + g.body(0) + "}\n" +
			"http://:" + port + " {\n\tbind 127.0.0.1\n" + g.body(3) + g.errors() + "}\n"
		config, err := adapt("Caddyfile", text)
		if err != nil || caddy.Load(config, true) != nil {
			return // a guard in a guard
		}
		parsed := new(caddy.Config)
		if err := json.Unmarshal(config, parsed); err != nil {
			rt.Fatal(err)
		}
		c, err := DecodeConfig(parsed)
		if err != nil {
			rt.Fatal(err)
		}
		found := c.Coverage()
		loaded++
		if len(found.Open) > 0 || found.TooDeep {
			open++
		}
		if path := reachesMetrics(rt); path != "" {
			reached++
			if len(found.Open) == 0 && !found.TooDeep {
				rt.Fatalf("%s is served without a token, and lint says nothing:\n%s", path, text)
			}
		}
	})
	if loaded == 0 || open == 0 || reached == 0 || open == loaded {
		t.Errorf("of %d arrangements %d were open and %d reached: the test shows nothing", loaded, open, reached)
	}
	t.Logf("arrangements: %d; open by lint: %d; reached: %d", loaded, open, reached)
}

// reachesMetrics returns the path by which a client without a token gets the
// metrics.
func reachesMetrics(rt *rapid.T) string {
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		rt.Fatal(err)
	}
	for _, path := range []string{"/", "/a/1", "/b/1", "/a/b/1", "/b/a/1"} {
		for _, server := range app.(*caddyhttp.App).Servers {
			w := httptest.NewRecorder()
			server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if strings.Contains(w.Body.String(), "# HELP") {
				return path
			}
		}
	}
	return ""
}

type siteGenerator struct{ *rapid.T }

func (g siteGenerator) body(depth int) string {
	var b strings.Builder
	for range rapid.IntRange(1, 3).Draw(g.T, "directives") {
		b.WriteString(g.directive(depth))
	}
	return b.String()
}

func (g siteGenerator) directive(depth int) string {
	matcher := rapid.SampledFrom([]string{"", "", "/a/*", "/b/*"}).Draw(g.T, "matcher")
	leaves := []string{
		"authmin {\n require infer /*\n }\n", "authmin {\n require infer /*\n }\n",
		"metrics " + matcher + "\n", "metrics " + matcher + "\n",
		"header X-Y z\n", "rewrite /a/* /b/1\n", "uri strip_prefix /a\n",
		"error /b/* 404\n", "respond /a/* no\n", "invoke named\n",
	}
	if depth == 0 {
		return rapid.SampledFrom(leaves[:9]).Draw(g.T, "leaf")
	}
	switch rapid.IntRange(0, 5).Draw(g.T, "kind") {
	case 0, 1:
		return fmt.Sprintf("handle %s {\n%s}\n", matcher, g.body(depth-1))
	case 2:
		return fmt.Sprintf("handle_path /a/* {\n%s}\n", g.body(depth-1))
	case 3:
		return fmt.Sprintf("route %s {\n%s}\n", matcher, g.body(depth-1))
	}
	return rapid.SampledFrom(leaves).Draw(g.T, "leaf")
}

func (g siteGenerator) errors() string {
	if !rapid.Bool().Draw(g.T, "errors") {
		return ""
	}
	return "handle_errors {\n" + g.body(1) + "}\n"
}
