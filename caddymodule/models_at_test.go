package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// leftSite leaves the models to the upstream.
func leftSite(address string) string {
	return "\n\tauthmin {\n\t\trequire infer /*\n\t\tmodel_in body " + chatPath + "\n\t\tmodels_at upstream\n\t\tupstream_token {env.TEST_UPSTREAM}\n\t}\n\treverse_proxy " + address + "\n"
}

// The guard reads no body then, and refuses no route: the upstream has the list, and * for
// an identity without one.
func TestModelsAreLeftToTheUpstreamWhereTheGuardSaysSo(t *testing.T) {
	up, last := echoed(t)
	g := serve(t, false, limitedTokens, leftSite(up.address()))
	for _, c := range []modelCase{
		{"POST", chatPath, `{"model":"big"}`, nil, 200, ""},
		{"POST", chatPath, `{"model":"tiny","model":"big"}`, nil, 200, ""},
		{"POST", "/other", `no JSON`, nil, 200, ""},
	} {
		for token, want := range map[string]string{tokenInfer: "tiny,team-*", tokenAdmin: "*"} {
			if status, code := ask(t, g.base, token, c); status != 200 {
				t.Errorf("%s %s: got %d %s", c.target, c.body, status, code)
			}
			if body, models := last(); body != c.body || models != want {
				t.Errorf("%s: the upstream got %q and the models %q, want %q", c.target, body, models, want)
			}
		}
	}
}

// An identity of a proxy without the option has no list: the upstream gets none, which
// means no model there.
func TestAProxysIdentityHasNoModelsAtTheUpstream(t *testing.T) {
	up, last := echoed(t)
	g := serve(t, false, "\tauthmin {\n\t\ttrust_proxy 127.0.0.1/32 {\n\t\t\tscopes infer\n\t\t}\n\t\ttoken boss {env.TEST_ADMIN} admin\n\t}\n", leftSite(up.address()))
	r, _ := http.NewRequest("POST", g.base+chatPath, strings.NewReader(`{"model":"tiny"}`))
	r.Header.Set("X-Auth-Identity", "alice")
	r.Header.Set("X-Auth-Models", "*")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if _, models := last(); answer.StatusCode != 200 || models != "" {
		t.Errorf("got %d, and the upstream the models %q, want 200 and none", answer.StatusCode, models)
	}
}

// The guard does not know the model of a stream: a list that lost a pattern ends it, one
// that only grew does not.
func TestAStreamEndsWhenTheListOfItsTokenShrinks(t *testing.T) {
	ring := modelRing{filepath.Join(t.TempDir(), "tokens")}
	ring.write(t, "tiny")
	var open atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.Header.Get(authmin.HeaderModels))
		_ = http.NewResponseController(w).Flush()
		if r.URL.Path == chatPath {
			open.Add(1)
			defer open.Add(-1)
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	g := serve(t, false, ring.globals(), leftSite(server.Listener.Addr().String()))
	get := func(path string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+tokenInfer)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		return answer
	}
	get(chatPath)
	testkit.Eventually(t, "the stream", func() bool { return open.Load() == 1 })
	ring.write(t, "tiny,big")
	testkit.Eventually(t, "the longer list", func() bool { return get("/v1/models").Header.Get("X-Seen") == "tiny,big" })
	if open.Load() != 1 {
		t.Error("a longer list ended the stream")
	}
	ring.write(t, "big")
	testkit.Eventually(t, "the end of the stream", func() bool { return open.Load() == 0 })
}

func TestModelsAtIsRefusedWhereNoUpstreamCouldCheck(t *testing.T) {
	const credential = "upstream_token {env.TEST_UPSTREAM}"
	for name, c := range map[string]struct{ guard, after, want string }{
		"without a credential":     {"", "", "models_at upstream without upstream_token"},
		"the list is deleted":      {credential, "request_header -X-Auth-Models", "deletes X-Auth-Models"},
		"identities are deleted":   {credential, "request_header -X-Auth-*", "deletes X-Auth-Models"},
		"the credential is":        {credential, "request_header -Authorization", "deletes Authorization"},
		"another field is deleted": {credential, "request_header -X-Other", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := "http://127.0.0.1:8080 {\n\tbind 127.0.0.1\n\tauthmin {\n\t\trequire infer /*\n\t\tmodels_at upstream\n\t\t" + c.guard + "\n\t}\n\t" + c.after + "\n\treverse_proxy 127.0.0.1:8081\n}\n"
			err := validate(t, "{\n"+quiet+silent+limitedTokens+"}\n"+text)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
