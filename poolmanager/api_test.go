package poolmanager

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestErrorsAreProblemsWithTheirPlace(t *testing.T) {
	r := startRig(t, nil)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code, has          string
	}{
		"not JSON":       {"POST", "/pools/p/preload", "{", 400, "INVALID_JSON", ""},
		"not UTF-8":      {"POST", "/pools/p/preload", "{\"template\":\"canary-value\xff\"}", 400, "INVALID_JSON", ""},
		"unclean path":   {"GET", "//pools", "", 404, "NOT_FOUND", ""},
		"unknown field":  {"POST", "/pools/p/preload", `{"template":"demo","command":["canary-value"]}`, 422, "INVALID_FIELD", "body.command"},
		"other letters":  {"POST", "/pools/p/preload", `{"template":"demo","WAIT_MS":-1}`, 422, "INVALID_FIELD", "body.WAIT_MS"},
		"missing field":  {"POST", "/pools/p/preload", `{}`, 422, "INVALID_FIELD", "template"},
		"wrong type":     {"POST", "/pools/p/dispatch", `{"prompt":"x","max_tokens":"canary-value"}`, 422, "INVALID_FIELD", "body.max_tokens"},
		"unknown model":  {"POST", "/pools/p/reload", `{"model_ref":"x"}`, 404, "POOL_NOT_FOUND", ""},
		"bad pool id":    {"POST", "/pools/A/preload", `{"template":"demo"}`, 422, "INVALID_POOL_ID", ""},
		"unknown route":  {"GET", "/nothing", "", 404, "NOT_FOUND", ""},
		"other method":   {"DELETE", "/pools", "", 405, "METHOD_NOT_ALLOWED", ""},
		"too large":      {"POST", "/pools/p/dispatch", `{"prompt":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "BODY_TOO_LARGE", ""},
		"too many lines": {"GET", "/pools/p/logs?lines=9999", "", 422, "INVALID_FIELD", "query.lines"},
		"no such pool":   {"GET", "/pools/nowhere/logs", "", 404, "POOL_NOT_FOUND", ""},
		"stop nothing":   {"POST", "/pools/nowhere/stop", "", 404, "POOL_NOT_FOUND", ""},
		"drain nothing":  {"POST", "/pools/nowhere/drain", `{"deadline_ms":1}`, 404, "POOL_NOT_FOUND", ""},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := r.call(t, c.method, c.path, c.body, "Authorization", "Bearer "+r.token.Reveal(), "X-Correlation-Id", "my-id")
			var problem map[string]any
			if err := json.Unmarshal([]byte(body), &problem); err != nil {
				t.Fatalf("%d %q: %v", response.StatusCode, body, err)
			}
			if response.StatusCode != c.status || problem["code"] != c.code || problem["correlation_id"] != "my-id" || problem["hint"] == "" {
				t.Errorf("got %d %s", response.StatusCode, body)
			}
			if got := response.Header.Get("Content-Type"); got != "application/problem+json" || response.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("header %v", response.Header)
			}
			if !strings.Contains(body, c.has) || strings.Contains(body, "canary-value") {
				t.Errorf("got %s, want the place %q and none of the values", body, c.has)
			}
		})
	}
}

// TestNoAnswerMayBeCached: what is no problem may not be cached, nor
// taken for another type, either.
func TestNoAnswerMayBeCached(t *testing.T) {
	r := startRig(t, nil)
	for _, path := range []string{"/health", "/pools", "/metrics", "/openapi.json"} {
		response, body := r.call(t, "GET", path, "", "Authorization", "Bearer "+r.token.Reveal())
		if h := response.Header; response.StatusCode != 200 || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %d %s, header %v", path, response.StatusCode, body, h)
		}
	}
}

// TestAPoolThatIsStoppedIsNotCalledReady: the answer to the command is about it.
func TestAPoolThatIsStoppedIsNotCalledReady(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	got, err := r.client.Stop(t.Context(), "p")
	if err != nil || got.State != "stopping" && got.State != "stopped" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTheOpenAPIDocumentIsValidAndNamesTheScopes(t *testing.T) {
	a := newAPI(&environment{log: slog.Default()}, &manager{})
	text, err := a.Huma().OpenAPI().Downgrade()
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if got := (*document.Paths.Value("/pools/{id}/dispatch").Post.Security)[0]["bearer"]; len(got) != 1 || got[0] != "dispatch" {
		t.Errorf("scopes of dispatch: %v", got)
	}
}

func TestMetricsHaveTheContractsNames(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	for _, path := range []string{"/metrics", "/poolmanager/metrics"} {
		_, body := r.call(t, "GET", path, "", "Authorization", "Bearer "+r.token.Reveal())
		for _, want := range []string{
			`pool_slots_total{pool_id="p"} 4`, `pool_slots_free{pool_id="p"} 4`, `pool_vram_free_bytes{pool_id="p"} `, `pool_ready{pool_id="p"} 1`,
			`pool_restarts_total{reason="exit"} 0`, "drain_duration_ms_count 0", "reload_duration_ms_count 0",
			"llorch_drain_duration_seconds_count 0", "llorch_reload_duration_seconds_count 0", "llorch_token_sources_unusable 0", `llorch_pool_suspect{pool_id="p"} 0`, `circuit_breaker_state{pool_id="p"} 0`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %s:\n%s", path, want, body)
			}
		}
	}
}

func TestAnEnginesLogIsShownWithoutItsKey(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	_, body := r.call(t, "GET", "/pools/p/logs?lines=5", "", "Authorization", "Bearer "+r.token.Reveal())
	if !strings.Contains(body, "demo engine (no model") || strings.Contains(body, r.engine(t, "p").key.Reveal()) {
		t.Errorf("got %s", body)
	}
}

func TestAUnixSocketIsPrivateAndReplacedWhenDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pm.sock")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	r := startRig(t, func(o *Options) { o.Listen = "unix/" + path })
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	dial := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	defer dial.CloseIdleConnections()
	if _, err := nodeapi.New("http://pm", r.token.Reveal, dial).Pools(t.Context()); err != nil {
		t.Error(err)
	}
	response, err := dial.Get("http://pm/pools")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != 401 {
		t.Errorf("without a token: %d, %v", response.StatusCode, err)
	}
	if _, err := backend.Listen("unix/" + path); err == nil {
		t.Error("a living socket was taken away")
	}
}

func TestAServerThatRunsAlreadyIsUsedAndNotStopped(t *testing.T) {
	owner := startRig(t, nil)
	owner.ready(t, "p", "demo", "")
	running := owner.engine(t, "p")
	for name, keyed := range map[string]func(*Template){
		"its key":           func(t *Template) { t.URLKey = running.key },
		"its key in a file": func(t *Template) { t.URLKeySource = authmin.FixedSecret("url_key_file", "key", running.key) },
	} {
		r := startRig(t, func(o *Options) {
			t := URLTemplate(running.base)
			keyed(&t)
			o.Templates = []Template{t}
		})
		r.ready(t, "q", "url", "")
		events, err := r.run(t, "q", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 3})
		if err != nil || len(events) != 4 || events[3].TokensOut != 3 {
			t.Errorf("%s: got %+v, %v", name, events, err)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s := owner.status(t, "p"); !s.Ready {
		t.Errorf("the foreign server: %+v", s)
	}
}
