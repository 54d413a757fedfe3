package integration_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/gcpace"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// upStart is how long a program may take until it answers.
const upStart = 30 * time.Second

// TestEachProgramChoosesTheCollectorsPace reads the pace from the metrics of running
// programs; of llorch after Caddy, which sets a limit of its own, has started.
func TestEachProgramChoosesTheCollectorsPace(t *testing.T) {
	token := authmin.RandomSecret().Reveal()
	chosen := fmt.Sprint(gcpace.Percent)
	for name, c := range map[string]struct {
		program, want string
		env           []string
	}{
		"gateway":                   {"llorch", chosen, nil},
		"gateway, set by GOGC":      {"llorch", "150", []string{"GOGC=150"}},
		"orchestrator":              {"orchestratord", chosen, nil},
		"orchestrator, set by GOGC": {"orchestratord", "150", []string{"GOGC=150"}},
		"pool manager":              {"poolmanagerd", chosen, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir, address := t.TempDir(), testkit.FreeAddress(t)
			env := append([]string{"LLORCH_API_TOKEN=" + token}, c.env...)
			var args []string
			switch c.program {
			case "llorch":
				args = []string{"run", "--adapter", "caddyfile", "--config", file(t, dir, "Caddyfile", fmt.Sprintf(guardedMetrics, dir, address))}
			case "orchestratord":
				args = []string{"--config", file(t, dir, "orchestratord.yaml", "addr: "+address+"\nstate_dir: "+dir+"/state\n")}
			case "poolmanagerd":
				args = []string{"--config", file(t, dir, "poolmanagerd.yaml", "listen: "+address+"\nruntime_dir: "+dir+"/run\n")}
			}
			gatewaytest.StartCommand(t, gatewaytest.CommandOf(t, c.program, env, args...)).Listening(t, address)
			client := gatewaytest.Client{Base: "http://" + address, Token: token}
			var metrics string
			testkit.Within(t, upStart, "the metrics", func() error {
				res, err := client.Do(http.MethodGet, "/metrics", "")
				if err == nil && res.Status != http.StatusOK {
					err = fmt.Errorf("GET /metrics: %d", res.Status)
				}
				metrics = string(res.Body)
				return err
			})
			if want := "\ngo_gc_gogc_percent " + c.want + "\n"; !strings.Contains(metrics, want) {
				t.Errorf("the metrics have no line %q", want)
			}
		})
	}
}

const guardedMetrics = `{
	admin off
	persist_config off
	storage file_system %s
	authmin {
		token owner {env.LLORCH_API_TOKEN} metrics
	}
}
http://%s {
	bind 127.0.0.1
	authmin edge {
		require metrics /metrics
	}
	metrics
}
`

func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
