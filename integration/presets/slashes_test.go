package presets_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// TestNamesWithASlashPass: clients encode the slash of a model's name
// and of NODE/POOL. It passes at these routes and at no other.
func TestNamesWithASlashPass(t *testing.T) {
	for name, text := range map[string]string{
		"Caddyfile.example": read(t, inRoot(t, "Caddyfile.example")), "up.caddyfile.tmpl": upText(t), "orchestrator.caddyfile": site(t, "orchestrator", "authmin-orchestrator", ""),
	} {
		found, err := adapt(t, text)
		if err != nil {
			t.Fatal(err)
		}
		g, err := found.guard()
		if err != nil {
			t.Fatal(err)
		}
		j, err := newJudge(rulesOf(t, text), g.AllowEncodedSlash...)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]class{"GET /v1/models/meta%2Fllama": "infer", "POST /v2/pools/node%2Fgpu/drain": "admin", "POST /control/pools/node%2Fgpu/drain": "admin"} {
			method, path, _ := strings.Cut(path, " ")
			for _, wrong := range j.classify(method, path, want) {
				t.Errorf("%s: %s", name, wrong)
			}
		}
		for _, path := range []string{"/v1/models%2Fdemo", "/v1%2Fmodels/demo", "/v1/models/a%2F..%2Fb", "/v1/models/a%2F%2Fb", "/v1/responses/a%2Fb", "/v2/tasks/a%2Fb", "/v2/nodes/a%2Fb"} {
			if got := j.ask("GET", path, authmin.ScopeAdmin); got != http.StatusBadRequest {
				t.Errorf("%s: %s gets %d, want 400", name, path, got)
			}
		}
	}
}
