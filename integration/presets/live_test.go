package presets_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// seen is what an echo upstream tells of a request.
type seen struct {
	Path, Host, Authorization, Identity string
}

// echo answers everything, and counts.
func echo(t *testing.T) (address string, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(seen{
			Path: r.RequestURI, Host: r.Host,
			Authorization: r.Header.Get("Authorization"), Identity: r.Header.Get("X-Auth-Identity"),
		})
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), requests
}

// A trial is one preset in a site of a running gateway, and a few requests.
type trial struct {
	snippet, args, body string
	calls               []call
	// host and authorization are what the upstream is to see; HOST stands for the
	// upstream's address.
	host, authorization string
}

type call struct {
	method, path string
	scope        authmin.Scope // none: no token
	status       int
}

const publicHost = "gateway.example.com"

var upstreamToken = strings.Repeat("upstream-", 5)

var trials = map[string]trial{
	"ollama": {snippet: "authmin-ollama", args: "ADDRESS", host: "HOST", calls: []call{
		{"GET", "/", "", 200}, {"POST", "/api/chat", "", 401}, {"POST", "/api/chat", "infer", 200},
		{"POST", "/api/pull", "infer", 403}, {"POST", "/api/pull", "admin", 200}, {"DELETE", "/api/delete", "admin", 200},
		{"GET", "/v1/models/qwen3:8b", "infer", 200}, {"GET", "/nope", "", 401}, {"GET", "/nope", "admin", 403},
	}},
	// What stands in braces comes before the preset's own rules.
	"vllm": {
		snippet: "authmin-vllm", args: "ADDRESS",
		body:          "{\n\t\tupstream_token " + upstreamSource + "\n\t\tdeny /invocations\n\t\trequire infer GET /ping\n\t}",
		authorization: "Bearer " + upstreamToken,
		calls: []call{
			{"GET", "/health", "", 200}, {"POST", "/v1/chat/completions", "", 401}, {"POST", "/v1/chat/completions", "infer", 200},
			{"POST", "/v1/load_lora_adapter", "infer", 403}, {"POST", "/v1/load_lora_adapter", "admin", 200},
			{"POST", "/collective_rpc", "admin", 403}, {"GET", "/metrics", "metrics", 200}, {"GET", "/metrics", "infer", 403},
			{"POST", "/invocations", "admin", 403}, {"GET", "/ping", "infer", 200},
			{"GET", "/v1/responses/resp_1", "infer", 403}, {"POST", "/v1/responses/resp_1/cancel", "infer", 403},
			{"GET", "/v1/responses/resp_1", "admin", 200}, {"POST", "/release_kv_cache_memory", "infer", 403},
		},
	},
	"sglang": {
		snippet: "authmin-sglang", args: "ADDRESS",
		body:          "{\n\t\tupstream_token " + upstreamSource + "\n\t}",
		authorization: "Bearer " + upstreamToken,
		calls: []call{
			{"GET", "/ping", "", 200}, {"GET", "/", "", 200},
			{"GET", "/health", "", 401}, {"GET", "/health", "metrics", 200}, {"GET", "/health_generate", "", 401}, {"GET", "/healthz", "", 401},
			{"GET", "/ready", "", 401}, {"GET", "/metrics", "", 401}, {"GET", "/metrics", "metrics", 200}, {"GET", "/metrics/x", "", 401}, {"GET", "/metricsx", "", 401},
			{"POST", "/v1/chat/completions", "", 401}, {"POST", "/v1/chat/completions", "infer", 200}, {"POST", "/generate", "infer", 200},
			{"GET", "/flush_cache", "admin", 403}, {"POST", "/flush_cache", "infer", 403}, {"POST", "/flush_cache", "admin", 200},
			{"GET", "/start_profile", "admin", 403}, {"GET", "/release_memory_occupation", "admin", 403}, {"GET", "/open_session", "admin", 403},
			{"GET", "/server_info", "admin", 403}, {"GET", "/get_server_info", "admin", 403}, {"GET", "/get_weights_by_name", "admin", 403},
			{"POST", "/update_weights_from_disk", "admin", 403}, {"POST", "/load_lora_adapter_from_tensors", "admin", 403},
			{"GET", "/v1/responses/resp_1", "infer", 403}, {"GET", "/v1/responses/resp_1", "admin", 200},
		},
	},
	// Its list is opened to clients, as the preset says.
	"llamacpp": {snippet: "authmin-llamacpp", args: "ADDRESS", body: "{\n\t\trequire infer GET /v1/models\n\t}", calls: []call{
		{"GET", "/v1/models", "infer", 200}, {"GET", "/models", "infer", 403}, {"GET", "/models?reload=1", "admin", 200},
		{"POST", "/models", "infer", 403}, {"DELETE", "/models?model=x", "infer", 403}, {"POST", "/models/load", "infer", 403},
		{"POST", "/models/unload", "infer", 403}, {"POST", "/models/unload", "admin", 200},
		{"GET", "/health", "", 200}, {"POST", "/completion", "", 401}, {"POST", "/completion", "infer", 200},
		{"GET", "/slots", "infer", 403}, {"GET", "/slots", "admin", 200}, {"POST", "/slots/0?action=save", "admin", 200},
		{"POST", "/tools", "admin", 403}, {"GET", "/metrics", "metrics", 200},
	}},
	"orchestrator": {snippet: "authmin-orchestrator", args: "ADDRESS " + upstreamSource, authorization: "Bearer " + upstreamToken, calls: []call{
		{"GET", "/health", "", 200}, {"POST", "/v2/tasks", "", 401}, {"POST", "/v2/tasks", "infer", 200},
		{"GET", "/v2/nodes", "infer", 403}, {"GET", "/v2/nodes", "admin", 200}, {"POST", "/v2/nodes/register", "nodes", 200},
	}},
	"poolmanager": {snippet: "authmin-poolmanager", args: "ADDRESS " + upstreamSource, authorization: "Bearer " + upstreamToken, calls: []call{
		{"GET", "/health", "", 200}, {"GET", "/pools", "", 401}, {"GET", "/pools", "dispatch", 200},
		{"GET", "/pools", "infer", 403}, {"DELETE", "/pools", "admin", 403},
	}},
	"prometheus": {snippet: "authmin-prometheus", args: "ADDRESS", calls: []call{
		{"GET", "/-/healthy", "", 200}, {"GET", "/api/v1/query?query=up", "", 401}, {"POST", "/api/v1/query", "metrics", 200},
		{"GET", "/api/v1/status/config", "metrics", 403}, {"GET", "/api/v1/status/config", "admin", 200},
		{"POST", "/api/v1/write", "admin", 403}, {"POST", "/-/quit", "admin", 403},
	}},
	"exporter": {snippet: "authmin-exporter", args: "ADDRESS", calls: []call{
		{"GET", "/metrics", "", 401}, {"GET", "/metrics", "metrics", 200}, {"GET", "/debug/pprof/", "admin", 403},
	}},
	"gateway-metrics": {snippet: "authmin-gateway-metrics", calls: []call{
		{"GET", "/metrics", "", 401}, {"GET", "/metrics", "infer", 403}, {"GET", "/metrics", "metrics", 200}, {"GET", "/", "admin", 403},
	}},
}

// TestPresetsRun runs the built gateway once with every preset in a site of its
// own, in front of an echo, as a user would write it.
func TestPresetsRun(t *testing.T) {
	upstream, requests := echo(t)
	file, sites := writeTrials(t, upstream)
	env := []string{"LLORCH_UPSTREAM_TOKEN=" + upstreamToken}
	for _, scope := range authmin.AllScopes() {
		env = append(env, fmt.Sprintf("TOKEN_%s=%s", strings.ToUpper(string(scope)), tokenOf(scope)))
	}
	if out, err := gatewaytest.Command(t, env, "authmin", "lint", "--config", file).CombinedOutput(); err != nil {
		t.Errorf("lint: %v\n%s", err, out)
	}
	gateway := gatewaytest.Start(t, env, "run", "--adapter", "caddyfile", "--config", file)
	for name, trial := range trials {
		t.Run(name, func(t *testing.T) {
			gateway.Listening(t, sites[name])
			for _, c := range trial.calls {
				before := requests.Load()
				res := c.send(t, sites[name])
				if res.Status != c.status {
					t.Errorf("%s %s with scope %q: %d, want %d: %s", c.method, c.path, c.scope, res.Status, c.status, res.Body)
				}
				if reached := requests.Load() > before; reached != (c.status == http.StatusOK && trial.args != "") {
					t.Errorf("%s %s with scope %q: reached the upstream is %v", c.method, c.path, c.scope, reached)
				}
				if c.status == http.StatusOK && trial.args != "" {
					trial.compare(t, c, upstream, res)
				}
			}
		})
	}
}

func (c call) send(t *testing.T, site string) gatewaytest.Response {
	t.Helper()
	client := gatewaytest.Client{Base: "http://" + site}
	if c.scope != "" {
		client.Token = tokenOf(c.scope)
	}
	res, err := client.Do(c.method, c.path, "", "Host: "+publicHost)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// compare holds what the upstream saw to what it is to see: never the client's
// token, and no identity on a public route.
func (tr trial) compare(t *testing.T, c call, upstream string, res gatewaytest.Response) {
	t.Helper()
	var got seen
	if err := res.JSON(&got); err != nil {
		t.Error(err)
	}
	want := seen{Path: c.path, Host: publicHost}
	if tr.host == "HOST" {
		want.Host = upstream
	}
	if c.scope != "" {
		want.Authorization, want.Identity = tr.authorization, "t-"+string(c.scope)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s %s with scope %q: the upstream saw (-want +got):\n%s", c.method, c.path, c.scope, diff)
	}
}

// writeTrials writes a Caddyfile with a site for each trial, and returns their
// addresses.
func writeTrials(t *testing.T, upstream string) (file string, sites map[string]string) {
	t.Helper()
	var text strings.Builder
	for _, name := range presetNames(t) {
		fmt.Fprintf(&text, "import %s\n", inRoot(t, "deploy/presets/"+name+".caddyfile"))
	}
	text.WriteString("{\n\tadmin off\n\tpersist_config off\n\tgrace_period 1s\n\tauthmin {\n")
	for _, scope := range authmin.AllScopes() {
		fmt.Fprintf(&text, "\t\ttoken t-%s {env.TOKEN_%s} %[1]s\n", scope, strings.ToUpper(string(scope)))
	}
	text.WriteString("\t}\n}\n")
	sites = map[string]string{}
	for name, trial := range trials {
		sites[name] = testkit.FreeAddress(t)
		_, port, _ := strings.Cut(sites[name], ":")
		args := strings.ReplaceAll(trial.args, "ADDRESS", upstream)
		fmt.Fprintf(&text, "http://:%s {\n\tbind 127.0.0.1\n\timport %s %s %s\n}\n", port, trial.snippet, args, trial.body)
	}
	file = filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, sites
}
