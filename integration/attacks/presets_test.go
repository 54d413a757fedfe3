package attacks_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// trap is a request for what an engine does for strangers, or for any caller. A preset has
// to stop it in every spelling.
type trap struct {
	preset, scope, method, uri string // scope: infer, admin, or none
	status                     int
	headers                    []string
}

var traps = []trap{
	// SGLang leaves open to strangers what begins so.
	{"sglang", "", "GET", "/health", 401, nil},
	{"sglang", "", "GET", "/health_generate", 401, nil},
	{"sglang", "", "GET", "/health/../server_info", 400, nil},
	{"sglang", "", "GET", "/healthz", 401, nil},
	{"sglang", "", "GET", "/metrics", 401, nil},
	{"sglang", "", "GET", "/metrics/", 401, nil},
	{"sglang", "", "GET", "/metricsx", 401, nil},
	{"sglang", "", "GET", "/ready", 401, nil},
	// Its arguments have its keys in them.
	{"sglang", "admin", "GET", "/server_info", 403, nil},
	{"sglang", "admin", "GET", "/get_server_info", 403, nil},
	{"sglang", "admin", "GET", "/%73erver_info", 403, nil},
	{"sglang", "admin", "GET", "/server_info/", 403, nil},
	{"sglang", "admin", "GET", "/SERVER_INFO", 403, nil},
	{"sglang", "admin", "GET", "/v1/models/../../server_info", 400, nil},
	{"sglang", "admin", "GET", "/v1/models/%2e%2e/%2e%2e/server_info", 400, nil},
	{"sglang", "admin", "GET", "//server_info", 400, nil},
	// It changes its state at a GET, which a link in a page can send.
	{"sglang", "admin", "GET", "/flush_cache", 403, nil},
	{"sglang", "admin", "HEAD", "/flush_cache", 403, nil},
	{"sglang", "infer", "POST", "/flush_cache", 403, nil},
	{"sglang", "admin", "GET", "/start_profile", 403, nil},
	{"sglang", "admin", "GET", "/stop_profile", 403, nil},
	{"sglang", "admin", "GET", "/release_memory_occupation", 403, nil},
	{"sglang", "admin", "GET", "/set_trace_level?level=9", 403, nil},
	{"sglang", "admin", "GET", "/configure_logging", 403, nil},
	{"sglang", "admin", "GET", "/close_session", 403, nil},
	{"sglang", "admin", "GET", "/flush_cache", 403, []string{"X-HTTP-Method-Override: POST"}},
	// It loads pickled objects.
	{"sglang", "admin", "POST", "/update_weights_from_tensor", 403, nil},
	{"sglang", "admin", "POST", "/load_lora_adapter_from_tensors", 403, nil},
	{"sglang", "admin", "PUT", "/set_internal_state", 403, nil},
	{"sglang", "admin", "PUT", "/hicache/storage-backend", 403, nil},
	{"sglang", "admin", "POST", "/dumper/configure", 403, nil},
	// A stored answer belongs to no caller.
	{"sglang", "infer", "GET", "/v1/responses/resp_1", 403, nil},
	{"sglang", "infer", "POST", "/v1/responses/resp_1/cancel", 403, nil},
	{"vllm", "infer", "GET", "/v1/responses/resp_1", 403, nil},
	{"vllm", "infer", "GET", "/v1/responses/resp_1?stream=true", 403, nil},
	{"vllm", "infer", "GET", "/V1/responses/resp_1", 403, nil},
	{"vllm", "infer", "POST", "/v1/responses/resp_1/cancel", 403, nil},
	{"vllm", "infer", "POST", "/release_kv_cache_memory", 403, nil},
	{"vllm", "admin", "POST", "/collective_rpc", 403, nil},
	{"vllm", "admin", "POST", "/collective_rpc/", 403, nil},
	// A router of llama.cpp shows command lines, reads its files again, and asks for no key
	// at these paths.
	{"llamacpp", "infer", "GET", "/models", 403, nil},
	{"llamacpp", "infer", "GET", "/models?reload=1", 403, nil},
	{"llamacpp", "infer", "GET", "/v1/models", 403, nil},
	{"llamacpp", "infer", "HEAD", "/v1/models", 403, nil},
	{"llamacpp", "infer", "GET", "/v1/models/", 403, nil},
	{"llamacpp", "infer", "POST", "/models", 403, nil},
	{"llamacpp", "infer", "DELETE", "/models?model=x", 403, nil},
	{"llamacpp", "infer", "POST", "/models/load", 403, nil},
	{"llamacpp", "", "POST", "/models", 401, nil},
	{"llamacpp", "", "DELETE", "/models?model=x", 401, nil},
	{"llamacpp", "infer", "GET", "/models/sse", 403, nil},
	// Ollama signs these requests with the account of its owner.
	{"ollama", "admin", "POST", "/api/experimental/web_search", 403, nil},
	{"ollama", "admin", "POST", "/api/experimental/web_fetch", 403, nil},
	{"ollama", "admin", "POST", "/API/experimental/web_fetch", 403, nil},
	{"ollama", "admin", "DELETE", "/api/user/keys/x", 403, nil},
}

// TestPresetsStopTheTrapsOfEngines sends the traps to the built gateway, with every preset of
// an engine before an upstream that would answer all of them.
func TestPresetsStopTheTrapsOfEngines(t *testing.T) {
	t.Parallel()
	upstream := startEcho(t)
	root, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	at := map[string]string{}
	for _, name := range []string{"sglang", "vllm", "llamacpp", "ollama"} {
		fmt.Fprintf(&text, "import %s\n", filepath.Join(root, "deploy", "presets", name+".caddyfile"))
		at[name] = testkit.FreeAddress(t)
	}
	text.WriteString("{\nadmin off\nauthmin {\ntoken few {env.TOKEN} infer\ntoken ops {env.ADMIN} admin\nlockout off\n}\n}\n")
	for name, address := range at {
		_, port, _ := net.SplitHostPort(address)
		fmt.Fprintf(&text, "http://:%s {\nbind 127.0.0.1\nimport authmin-%s %s\n}\n", port, name, upstream.address())
	}
	p := gatewaytest.Start(t, []string{"TOKEN=" + tokenOK, "ADMIN=" + tokenAdmin}, "run", "--adapter", "caddyfile", "--config", writeFile(t, "Caddyfile", text.String()))
	for _, address := range at {
		p.Listening(t, address)
	}
	bearers := map[string][]string{"": nil, "infer": {bearer(tokenOK)}, "admin": {bearer(tokenAdmin)}}
	for _, c := range traps {
		before := upstream.requests()
		mustAnswer(t, c.status, at[c.preset], c.method, c.uri, append(bearers[c.scope], c.headers...)...)
		if upstream.requests() != before {
			t.Errorf("%s: %s %s of scope %q reached the engine", c.preset, c.method, c.uri, c.scope)
		}
	}
	for name, address := range at { // the upstream is there, and would answer
		mustAnswer(t, 200, address, "POST", "/v1/chat/completions", bearer(tokenOK), "Content-Length: 0")
		if upstream.requests() == 0 {
			t.Errorf("%s: nothing reached the engine", name)
		}
	}
}
