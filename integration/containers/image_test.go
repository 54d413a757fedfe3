//go:build containers

package containers

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// alone are the options of a container that may write nothing and reach nothing.
var alone = []string{"run", "--rm", "--read-only", "--network", "none", "--cap-drop", "ALL"}

func TestTheImageIsNotRootAndChecksItself(t *testing.T) {
	var all []struct {
		Config struct {
			User        string
			Healthcheck struct{ Test []string }
		}
	}
	if err := json.Unmarshal([]byte(docker(t, "image", "inspect", image)), &all); err != nil || len(all) != 1 {
		t.Fatalf("%v, %d images", err, len(all))
	}
	c := all[0].Config
	if c.User != "10001:10001" {
		t.Errorf("the user is %q, want a number that is not root's", c.User)
	}
	if want := []string{"CMD", "llorch", "health"}; !slices.Equal(c.Healthcheck.Test[:min(3, len(c.Healthcheck.Test))], want) {
		t.Errorf("the health check is %q, want %q…", c.Healthcheck.Test, want)
	}
	for _, args := range [][]string{{"llorch", "version"}, {"orchestratord", "--version"}, {"poolmanagerd", "--version"}} {
		if out := docker(t, slices.Concat(alone, []string{image}, args)...); strings.TrimSpace(out) == "" {
			t.Errorf("%q prints nothing", args)
		}
	}
}

// TestNothingStartsWithoutItsSecrets runs what the compose files run, with the directory
// of secrets empty, as Docker makes it where it is missing.
func TestNothingStartsWithoutItsSecrets(t *testing.T) {
	p := newProject(t, "cloud", "compose.yaml")
	for name, c := range map[string]struct {
		config  string
		env     []string
		command []string
		want    string
	}{
		"the image alone": {"", nil, nil, "/etc/llorch/gateway/Caddyfile"},
		"gateway at home": {"../home/gateway:/etc/llorch/gateway", []string{"LLORCH_BIND=0.0.0.0"}, nil, "/etc/llorch/keyring/tokens"},
		"gateway of an orchestrator": {"orchestrator:/etc/llorch/orchestrator", []string{"LLORCH_HOST=orch1"},
			[]string{"llorch", "run", "--config", "/etc/llorch/orchestrator/Caddyfile"}, "/etc/llorch/"},
		"gateway of a worker": {"worker:/etc/llorch/worker", []string{"LLORCH_HOST=worker1"},
			[]string{"llorch", "run", "--config", "/etc/llorch/worker/Caddyfile"}, "/etc/llorch/secrets/"},
		"orchestrator": {"orchestrator:/etc/llorch/orchestrator", []string{"LLORCH_UPSTREAM_TOKEN_FILE=/etc/llorch/secrets/upstream_token"},
			[]string{"orchestratord", "--config", "/etc/llorch/orchestrator/orchestratord.yaml"}, "/etc/llorch/secrets/"},
		"pool manager": {"worker:/etc/llorch/worker", []string{"LLORCH_UPSTREAM_TOKEN_FILE=/etc/llorch/secrets/upstream_token"},
			[]string{"poolmanagerd", "--config", "/etc/llorch/worker/poolmanagerd.yaml"}, "/etc/llorch/secrets/"},
	} {
		t.Run(name, func(t *testing.T) {
			args := slices.Clone(alone)
			for _, dir := range []string{"/run/llorch", "/var/lib/llorch-gateway"} { // volumes in the compose files
				args = append(args, "--tmpfs", dir+":uid=10001,mode=0700")
			}
			if c.config != "" {
				args = append(args, "--volume", p.dir+"/"+c.config+":ro")
			}
			for _, variable := range c.env {
				args = append(args, "--env", variable)
			}
			_, err := run("", nil, "docker", slices.Concat(args, []string{image}, c.command)...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that names %s", err, c.want)
			}
		})
	}
}
