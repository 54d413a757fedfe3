package cli

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// A guard that does not start decides nothing: explain reports its mistake, as a start
// does, in every setting that the policy is built from.
func TestExplainRefusesAPolicyThatDoesNotStart(t *testing.T) {
	for _, setting := range []string{"allow_encoded_slash", "allow_trailers"} {
		config := `{"admin":{"disabled":true},"apps":{"authmin":{"tokens":[{"name":"ci","source":"{env.TEST_INFER}","scopes":["infer"]}]},
			"http":{"servers":{"s":{"listen":["127.0.0.1:8080"],"routes":[{"handle":[
				{"handler":"authmin","rules":[{"action":"require","scopes":["infer"],"paths":["/*"]}],"` + setting + `":["no-slash"]},
				{"handler":"static_response","body":"ok"}]}]}}}}}`
		file := filepath.Join(t.TempDir(), "caddy.json")
		writeFile(t, file, config, 0o600)
		s, err := readSettings(file)
		if err != nil {
			t.Fatal(err)
		}
		a, err := s.ask(&question{method: http.MethodGet, url: "/v1/models", token: "ci"}, time.Now())
		if err == nil {
			t.Errorf("%s: explain says %d, want an error", setting, a.status())
			continue
		}
		parsed := new(caddy.Config)
		if err := json.Unmarshal([]byte(config), parsed); err != nil {
			t.Fatal(err)
		}
		_, reason, _ := strings.Cut(err.Error(), "guard default: ")
		if start := caddy.Validate(parsed); reason == "" || start == nil || !strings.Contains(start.Error(), reason) {
			t.Errorf("%s: explain says %v, a start %v", setting, err, start)
		}
	}
}
