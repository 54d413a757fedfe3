package presets_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// TestOnlyCallsHaveARecordOfUsage: a guard with usage takes each request of POST for a call
// unless its route is in model_free. What nodes and operators send to the orchestrator is
// none. Below /pools/ the pool manager runs a model (dispatch, call): these are calls.
func TestOnlyCallsHaveARecordOfUsage(t *testing.T) {
	all := ours(t)
	for file, c := range map[string]struct {
		text   string
		routes []route
	}{
		"orchestrator.caddyfile": {site(t, "orchestrator", "authmin-orchestrator", ""), all["orchestrator"]},
		"Caddyfile.example":      {read(t, inRoot(t, "Caddyfile.example")), slices.Concat(all["orchestrator"], all["poolmanager"])},
		"up.caddyfile.tmpl":      {upText(t), slices.Concat(all["orchestrator"], all["poolmanager"])},
	} {
		models := modelRoutesOf(t, c.text)
		checked := 0
		for _, r := range c.routes {
			if r.Method == http.MethodGet || r.Method == http.MethodDelete || r.Class == "infer" || strings.HasPrefix(r.Path, "/pools/") {
				continue
			}
			checked++
			if _, free := models.Find(r.Method, r.example()); !free {
				t.Errorf("%s: %s %s of scope %s is a call: it is not in model_free", file, r.Method, r.Path, r.Class)
			}
		}
		for _, path := range []string{"/v1/chat/completions", "/pools/p/dispatch", "/pools/p/call/chat"} {
			if _, free := models.Find(http.MethodPost, path); free {
				t.Errorf("%s: POST %s runs a model: it is in model_free, and so free of budgets", file, path)
			}
		}
		if checked == 0 {
			t.Errorf("%s: no route was checked", file)
		}
	}
}

// A heartbeat has no record of usage, and a chat has one.
func TestAHeartbeatHasNoRecordOfUsage(t *testing.T) {
	upstream, _ := echo(t)
	file, sites := writeTrials(t, upstream)
	env := []string{"LLORCH_UPSTREAM_TOKEN=" + upstreamToken}
	for _, scope := range authmin.AllScopes() {
		env = append(env, fmt.Sprintf("TOKEN_%s=%s", strings.ToUpper(string(scope)), tokenOf(scope)))
	}
	gateway := gatewaytest.Start(t, env, "run", "--adapter", "caddyfile", "--config", file)
	gateway.Listening(t, sites["orchestrator"])
	for _, c := range []call{{"POST", "/v2/nodes/n1/heartbeat", "nodes", 200}, {"POST", "/v1/chat/completions", "infer", 200}} {
		if res := c.send(t, sites["orchestrator"]); res.Status != c.status {
			t.Fatalf("%s: got %d", c.path, res.Status)
		}
	}
	records := func() (of []string) {
		for text := range strings.Lines(gateway.Output()) {
			var record struct{ Event, Token string }
			if json.Unmarshal([]byte(text), &record) == nil && record.Event == "usage" {
				of = append(of, record.Token)
			}
		}
		return of
	}
	testkit.Eventually(t, "the record of the chat", func() bool { return slices.Contains(records(), "t-infer") })
	if got := records(); len(got) != 1 {
		t.Errorf("got records of usage of %v, want one, of t-infer", got)
	}
}
