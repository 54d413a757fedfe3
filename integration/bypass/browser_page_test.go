//go:build browser

package bypass_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

const (
	lookerToken  = "looker-token-0123456789abcdefghijklmnopqr"
	colleague    = "colleague-token-0123456789abcdefghijklmno"
	hostile      = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`
	hostilePath  = "/v1/<svg/onload=hacked=1>"
	aTask        = "0198f3a2-0000-7000-8000-000000000001"
	answerWords  = "words-of-an-answer"
	upstreamWord = "upstream-token-0123456789abcdefghijklmnop"
)

// lookedAt is a gateway with a page, a guarded service, and an orchestrator whose every
// text is hostile.
type lookedAt struct {
	page, service string // URLs
	keyring       string
}

func startPage(t *testing.T) lookedAt {
	t.Helper()
	orchestrator := startHostileOrchestrator(t)
	l := lookedAt{keyring: filepath.Join(t.TempDir(), "tokens")}
	pageAddress, serviceAddress := testkit.FreeAddress(t), testkit.FreeAddress(t)
	l.page, l.service = "http://"+pageAddress, "http://"+serviceAddress
	l.write(t, "active")
	config := fmt.Sprintf(`{
	admin off
	persist_config off
	authmin {
		token looker {env.LOOKER} admin
		token ci-runner {env.COLLEAGUE} infer {
			budget 2M tokens per month hard
		}
		budget infer 4000 requests per day
		state_dir %s
		token_file %s
		optional true
		lockout 40 1m 1h
	}
}
http://%s {
	bind 127.0.0.1
	authmin_page {
		orchestrator %s
		upstream_token {env.UPSTREAM}
	}
}
http://%s {
	bind 127.0.0.1
	authmin edge {
		public GET /health
		require infer GET,POST /v1/*
		require admin /admin/*
		model_in body /v1/chat/completions
		usage
		limit 600 60s
	}
	handle /v1/chat/completions {
		reverse_proxy %s
	}
	handle {
		respond ok
	}
}
`, t.TempDir(), l.keyring, pageAddress, orchestrator.URL, serviceAddress, startCountingEngine(t).Listener.Addr())
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"LOOKER=" + lookerToken, "COLLEAGUE=" + colleague, "UPSTREAM=" + upstreamWord}
	g := gatewaytest.Start(t, env, "run", "--adapter", "caddyfile", "--config", file)
	g.Listening(t, pageAddress)
	g.Listening(t, serviceAddress)
	return l
}

// write puts the keyring in place: one token, in a state.
func (l lookedAt) write(t *testing.T, state string) {
	t.Helper()
	lines := fmt.Sprintf("guest sha256:%s infer expires=2099-01-01T00:00:00Z state=%s\n# end 1\n", digestHex(guestToken), state)
	if err := os.WriteFile(l.keyring+".new", []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(l.keyring+".new", l.keyring); err != nil {
		t.Fatal(err)
	}
}

// visit makes some traffic of every kind, hostile fields among it.
func (l lookedAt) visit(t *testing.T) {
	t.Helper()
	l.call(t, colleague, "llama-3.3-70b")
	l.call(t, lookerToken, hostile)
	for i := range 12 {
		l.ask(t, "/v1/models", colleague, "python-httpx/0.28")
		if i%3 == 0 {
			l.ask(t, "/admin/users", colleague, hostile)
			l.ask(t, hostilePath, lookerToken, "curl/8.9.1")
			l.ask(t, "/v1/models", strings.Repeat("z", 40), "scanner/1.0")
			l.ask(t, "/health", "", "kube-probe/1.31")
		}
	}
}

// startCountingEngine answers every call with figures.
func startCountingEngine(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"usage":{"prompt_tokens":812,"completion_tokens":96}}`)
	}))
	t.Cleanup(server.Close)
	return server
}

// call asks for a completion of a model.
func (l lookedAt) call(t *testing.T, token, model string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"model": model, "max_tokens": 100})
	if err != nil {
		t.Fatal(err)
	}
	c := gatewaytest.Client{Base: l.service, Token: token}
	if answer, err := c.Do(http.MethodPost, "/v1/chat/completions", string(body)); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("a call: %v, %d %s", err, answer.Status, answer.Body)
	}
}

func (l lookedAt) ask(t *testing.T, path, token, agent string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, l.service, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = path // as it is, without escapes
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("User-Agent", agent)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
}

// startHostileOrchestrator has a task in every state, and a node that is not what it says.
func startHostileOrchestrator(t *testing.T) *httptest.Server {
	t.Helper()
	now := time.Now().UTC()
	pool := func(id, model string, free int, ready bool) map[string]any {
		return map[string]any{"pool_id": id, "engine": "vllm", "model_ref": model, "ready": ready, "state": "starting", "slots_free": free, "slots_total": 8}
	}
	task := func(n int, state, owner, model string) map[string]any {
		return map[string]any{"task_id": fmt.Sprintf("%s%d", aTask[:35], n), "owner": owner, "state": state, "model_ref": model, "workload": "completion",
			"priority": "interactive", "node_id": "gpu-1", "pool_id": "gpu-1/llama", "tokens_in": 812, "tokens_out": 96 * n, "created_at": now.Add(-time.Duration(n*n) * 20 * time.Second),
			"prompt": answerWords}
	}
	failed := task(4, "failed", "ci-runner", hostile)
	failed["error"] = map[string]any{"code": "WORKER_RESET", "message": answerWords}
	waiting := task(5, "queued", "ci-runner", "llama-3.3-70b")
	waiting["pool_id"], waiting["waiting"] = "", "every pool of the model is busy "+hostile
	answers := map[string]any{
		"/v2/nodes": map[string]any{"nodes": []any{
			map[string]any{"node_id": "gpu-1", "owner": "node-gpu-1", "state": "online", "last_heartbeat": now, "pools": []any{pool("gpu-1/llama", "llama-3.3-70b", 3, true), pool("gpu-1/embed", "bge-m3", 8, true)}},
			map[string]any{"node_id": hostile, "state": "offline", "last_heartbeat": now.Add(-5 * time.Minute), "pools": []any{pool("gpu-2/llama", hostile, 0, false)}},
		}},
		"/v2/tasks": map[string]any{"tasks": []any{task(1, "running", "ci-runner", "llama-3.3-70b"), task(2, "running", "looker", "llama-3.3-70b"),
			task(3, "completed", "ci-runner", "bge-m3"), failed, waiting, task(6, "completed", "ci-runner", "llama-3.3-70b"), task(7, "canceled", "looker", "llama-3.3-70b")}},
		"queued":                map[string]any{"tasks": []any{waiting}},
		"/v2/meta/capabilities": map[string]any{"queue": map[string]any{"capacity": 1000}},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+upstreamWord {
			t.Errorf("%s was asked without the gateway's credential", r.URL)
		}
		path := r.URL.Path
		if r.URL.Query().Get("state") == "queued" {
			path = "queued"
		}
		if strings.HasSuffix(path, "/events") {
			fmt.Fprintf(w, "event: started\ndata: {\"queue_position\":3,\"predicted_start_ms\":1200}\n\nevent: token\ndata: {\"t\":%q}\n\nevent: waiting\ndata: {\"reason\":%q}\n\n", answerWords, hostile)
			fmt.Fprintf(w, "event: metrics\ndata: {\"queue_depth\":2,\"kv_warmth\":true}\n\nevent: end\ndata: {\"tokens_in\":812,\"tokens_out\":96,\"decode_ms\":1840,\"finish_reason\":\"stop\"}\n\n")
			return
		}
		_ = json.NewEncoder(w).Encode(answers[path])
	}))
	t.Cleanup(server.Close)
	return server
}
