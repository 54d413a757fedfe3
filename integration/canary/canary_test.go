package canary_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// planted is everything that one run has put somewhere.
type planted struct {
	secrets
	inPlaces map[string]canary // by place
	refused  map[string]canary // wrong tokens where tokens belong
	answers  []string          // the gateway's own
}

// TestNoTokenInAnySink plants, provokes and searches.
func TestNoTokenInAnySink(t *testing.T) {
	p := &planted{secrets: newSecrets(), inPlaces: map[string]canary{}, refused: map[string]canary{}}
	g := startGateway(t, "authmin", p.secrets)
	p.plant(t, g)
	sinks := p.gather(t, g)
	for name, text := range sinks {
		if name == "traces" {
			continue // below
		}
		for _, c := range p.all() {
			if c.in(text) {
				t.Errorf("%s holds the token planted as %q: %s", name, c.name, excerpt(text, c))
			}
		}
	}
	t.Logf("%d canaries in %d sinks: %v", len(p.all()), len(sinks), slices.Sorted(maps.Keys(sinks)))
	p.judgeTraces(t, sinks["traces"])
	p.judgeUpstream(t, g.upstream.String())
}

// TestTheSearchFinds: the same with a log that leaks. That of a guarded server does
// not, whatever its format.
func TestTheSearchFinds(t *testing.T) {
	p := &planted{secrets: newSecrets(), inPlaces: map[string]canary{}, refused: map[string]canary{}}
	g := startGateway(t, "json", p.secrets)
	p.plant(t, g)
	open := *g
	open.address = g.unguarded
	for _, where := range places {
		open.send(t, where.request("/v1/x", p.inPlaces[where.name].token, ""))
	}
	log := p.gather(t, g)["file /access.log"]
	for _, where := range []string{"query", "path segment", "X-Api-Key", "User-Agent", "Host"} {
		if !p.inPlaces[where].in(log) {
			t.Errorf("the search does not find the token planted as %q in a log that has it", where)
		}
	}
}

// all are the canaries of a run.
func (p *planted) all() []canary {
	all := p.secrets.all()
	for _, m := range []map[string]canary{p.inPlaces, p.refused} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			all = append(all, m[name])
		}
	}
	return all
}

// plant sends tokens in all places and makes the gateway refuse, serve and fail.
func (p *planted) plant(t *testing.T, g *gateway) {
	t.Helper()
	valid := "Bearer " + p.valid.token
	for _, where := range places {
		c := newCanary("place " + where.name)
		p.inPlaces[where.name] = c
		if got := g.send(t, where.request("/v1/x", c.token, "")); strings.HasPrefix(got, "HTTP/1.1 2") {
			t.Errorf("%s: let in without a token: %s", where.name, got)
		} else {
			p.answers = append(p.answers, got)
		}
		want := "HTTP/1.1 200"
		if where.refused {
			want = "HTTP/1.1 4"
		}
		for _, path := range []string{"/v1/x", "/health/x"} {
			if got := g.send(t, where.request(path, c.token, valid)); !strings.HasPrefix(got, want) {
				t.Errorf("%s on %s: answered %.80q, want %s", where.name, path, got, want)
			}
		}
		p.answers = append(p.answers, g.send(t, where.request("/v1/down", c.token, valid)))
		g.send(t, where.request("/v1/abort", c.token, valid))
		// The valid token itself in another place. The guard does not read bodies, and
		// the name of a header field arrives in other letters.
		if where.body == "" && where.name != "a header's name" && !slices.Contains(tracedPlaces, where.name) {
			g.send(t, where.request("/v1/x", p.valid.token, valid))
		}
	}
	p.present(t, g)
	for _, c := range p.secrets.all() { // the id stands in every log
		g.send(t, place{header: "X-Correlation-Id: %s"}.request("/v1/x", c.token, valid))
		g.send(t, place{header: "X-Correlation-Id: %s"}.request("/v1/down", c.token, ""))
	}
	trailers := "POST /v1/x HTTP/1.1\r\nHost: x\r\nAuthorization: " + valid + "\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\nAuthorization: Bearer %s\r\n\r\n"
	c := newCanary("trailer")
	p.refused["trailer"] = c
	g.send(t, fmt.Sprintf(trailers, c.token))
}

// present sends every kind of token where tokens belong.
func (p *planted) present(t *testing.T, g *gateway) {
	t.Helper()
	kinds := map[string]string{
		"expired": p.expired.token, "revoked": p.revoked.token, "future": p.future.token, "upstream": p.upstream.token,
	}
	for _, kind := range []string{"wrong", "basic", "no scheme", "two words", "two lines", "cut", "underscored"} {
		c := newCanary("authorization " + kind)
		p.refused[kind] = c
		kinds[kind] = c.token
	}
	forms := map[string]string{"basic": "Basic %s", "no scheme": "%s", "two words": "Bearer %s x", "two lines": "Bearer %[1]s\r\nAuthorization: Bearer %[1]s"}
	for kind, token := range kinds {
		form := forms[kind]
		if form == "" {
			form = "Bearer %s"
		}
		for _, path := range []string{"/v1/x", "/v1/down", "/nothing", "/health"} {
			got := g.send(t, place{}.request(path, "", fmt.Sprintf(form, token)))
			if want := path == "/health"; strings.HasPrefix(got, "HTTP/1.1 200") != want {
				t.Errorf("%s token on %s: %.80q", kind, path, got)
			}
			p.answers = append(p.answers, got)
		}
	}
	keyed := *g
	keyed.address = g.keyed
	kinds["valid"] = p.valid.token
	for kind, token := range kinds {
		for _, path := range []string{"/v1/x", "/v1/down", "/nothing", "/health"} {
			got := keyed.send(t, place{header: "X-Api-Key: %s"}.request(path, token, ""))
			want := path == "/health" || path == "/v1/x" && kind == "valid"
			if strings.HasPrefix(got, "HTTP/1.1 200") != want {
				t.Errorf("%s token in X-Api-Key on %s: %.80q", kind, path, got)
			}
			p.answers = append(p.answers, got)
		}
	}
}

// gather stops at nothing that the gateway wrote: a reload, the admin answers,
// and an end, after which all is on disk.
func (p *planted) gather(t *testing.T, g *gateway) map[string]string {
	t.Helper()
	sinks := map[string]string{"answers": strings.Join(p.answers, "\n")}
	out, err := gatewaytest.Command(t, nil, "reload", "--force", "--adapter", "caddyfile", "--config", g.config, "--address", "unix/"+g.socket).CombinedOutput()
	if err != nil {
		// The environment token is not the command's; the gateway's own must do.
		t.Errorf("reload: %v\n%s", err, out)
	}
	sinks["reload"] = string(out)
	sinks["metrics"] = g.send(t, place{}.request("/metrics", "", "Bearer "+p.env.token))
	for _, path := range []string{"/config/", "/authmin/tokens", "/authmin/lockouts", "/metrics", "/reverse_proxy/upstreams", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline", "/debug/vars"} {
		sinks["admin "+path] = g.admin(t, path)
	}
	argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", g.process.PID()))
	if err != nil {
		t.Fatal(err)
	}
	sinks["argv"] = string(argv)
	testkit.Within(t, 10*time.Second, "spans", func() error {
		if !strings.Contains(g.traces.String(), "canary") {
			return fmt.Errorf("%d bytes of spans", len(g.traces.String()))
		}
		return nil
	})
	if err := g.process.Stop(); err != nil {
		t.Error(err)
	}
	sinks["output"], sinks["syslog"], sinks["traces"] = g.process.Output(), g.syslog.String(), g.traces.String()
	maps.Copy(sinks, filesUnder(t, g.folder, keyringFile, upstreamFile, "admin.sock"))
	for _, name := range []string{"file /default.log", "file /access.log", "file /audit.ndjson", "file /config/caddy/autosave.json", "output", "syslog", "traces", "metrics"} {
		if len(sinks[name]) < 200 {
			t.Errorf("%s has %d bytes; nothing was searched there", name, len(sinks[name]))
		}
	}
	return sinks
}

// excerpt shows where, without the part that must not be shown.
func excerpt(text string, c canary) string {
	for _, trace := range c.traces() {
		if i := strings.Index(text, trace); i >= 0 {
			from := text[max(0, i-160):i]
			return fmt.Sprintf("%q…", from)
		}
	}
	return ""
}
