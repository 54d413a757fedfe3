package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
)

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "orchestratord.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	file := write(t, "state_dir: /a\nadmission_capacity: 5\nnode_networks: [10.0.0.1/8]\n")
	o, err := configure(file, environment("ORCHD_STATE_DIR", "/b"))
	if err != nil {
		t.Fatal(err)
	}
	if o.StateDir != "/b" || o.Capacity != 5 || o.Listen != "127.0.0.1:8081" || o.NodeNetworks[0].String() != "10.0.0.0/8" {
		t.Errorf("got %+v", o)
	}
}

func TestMistakesAreNamedWithTheirPlaceAndRemedy(t *testing.T) {
	token := "canary-0123456789abcdefghijklmnopqrstuv"
	var texts []string
	for name, c := range map[string]struct {
		yaml string
		env  []string
		want []string
	}{
		"unknown key":          {"state_dir: /a\ncolour: red\n", nil, []string{"orchestratord.yaml:2:", "colour"}},
		"wrong type":           {"state_dir: /a\nadmission_capacity: many\n", nil, []string{"orchestratord.yaml:2:", "ORCHD_ADMISSION_CAPACITY"}},
		"not YAML":             {"state_dir: [\n", nil, []string{"orchestratord.yaml:1:"}},
		"two documents":        {"state_dir: /a\n---\nstate_dir: /b\n", nil, []string{"more than one YAML document"}},
		"no state dir":         {"addr: 127.0.0.1:1\n", nil, []string{"state_dir", "ORCHD_STATE_DIR"}},
		"capacity":             {"state_dir: /a\nadmission_capacity: 0\n", nil, []string{"orchestratord.yaml:2:", "ORCHD_ADMISSION_CAPACITY", "1 to"}},
		"policy":               {"state_dir: /a\nadmission_policy: lifo\n", nil, []string{"ORCHD_ADMISSION_POLICY", "reject", "drop-lru"}},
		"strategy":             {"state_dir: /a\nplacement_strategy: best\n", nil, []string{"most-free-vram"}},
		"network":              {"state_dir: /a\nnode_networks: [10.0.0.1]\n", nil, []string{"CIDR"}},
		"address":              {"state_dir: /a\naddr: here\n", nil, []string{"orchestratord.yaml:2:", "ORCHD_ADDR", "host:port"}},
		"port":                 {"state_dir: /a\naddr: 127.0.0.1:99999\n", []string{"LLORCH_API_TOKEN", token}, []string{"orchestratord.yaml:2:", "ORCHD_ADDR"}},
		"node address":         {"state_dir: /a\nnode_addresses: [gpu1.internal]\n", nil, []string{"orchestratord.yaml:2:", "ORCHD_NODE_ADDRESSES", "number 1", "https://"}},
		"a node's password":    {"state_dir: /a\nnode_addresses: [\"https://u:" + token + "@gpu1.internal\"]\n", nil, []string{"number 1", "only scheme, host and port"}},
		"a token to listen on": {"state_dir: /a\naddr: " + token + "\n", nil, []string{"host:port"}},
		"number":               {"state_dir: /a\n", []string{"ORCHESTRATORD_NODE_TIMEOUT_MS", "soon"}, []string{"ORCHESTRATORD_NODE_TIMEOUT_MS", "not a number"}},
		"exposed, no token":    {"state_dir: /a\naddr: 0.0.0.0:8081\n", nil, []string{"NON_LOOPBACK_WITHOUT_TOKEN"}},
		"short token":          {"state_dir: /a\n", []string{"LLORCH_API_TOKEN", "short"}, []string{"LLORCH_API_TOKEN"}},
		"equal tokens":         {"state_dir: /a\n", []string{"LLORCH_API_TOKEN", token, "LLORCH_UPSTREAM_TOKEN", token}, []string{"must differ"}},
		"drain":                {"state_dir: /a\ndrain_ms: -1\n", nil, []string{"orchestratord.yaml:2:", "ORCHD_DRAIN_MS"}},
		"half a cluster":       {"state_dir: /a\ncluster_name: llorch\n", nil, []string{"orchestratord.yaml: cluster_addr (ORCHD_CLUSTER_ADDR): not set: a cluster needs"}},
		"routes in clear":      {"state_dir: /a\n", clusterOf("10.0.0.1:6222", "10.0.0.1:6222,10.0.0.2:6222,10.0.0.3:6222"), []string{"ORCHD_CLUSTER_NAME", "without TLS", "ORCHD_CLUSTER_CERT"}},
		"two replicas":         {"state_dir: /a\n", clusterOf("127.0.0.1:1", "127.0.0.1:1,127.0.0.1:2"), []string{"3 or 5"}},
		"two homes":            {"state_dir: /a\nnats_url: nats://127.0.0.1:4222\n", clusterOf("127.0.0.1:1", "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3"), []string{"orchestratord.yaml:2:", "ORCHD_NATS_URL", "one or the other"}},
		"nats in clear":        {"nats_url: nats://10.0.0.1:4222\n", nil, []string{"orchestratord.yaml:1:", "tls://10.0.0.1:4222"}},
		"credentials for none": {"state_dir: /a\nnats_creds: /c\n", nil, []string{"ORCHD_NATS_URL"}},
		"no time at all":       {"state_dir: /a\ndeadline_ms: 0\n", nil, []string{"orchestratord.yaml:2:", "ORCHD_DEADLINE_MS"}},
		"a negative limit":     {"state_dir: /a\nstream_limit_ms: -1\n", nil, []string{"orchestratord.yaml:2:", "ORCHD_STREAM_LIMIT_MS"}},
		"kept too briefly":     {"state_dir: /a\nkeep_ended_ms: 1\n", nil, []string{"orchestratord.yaml:2:", "ORCHD_KEEP_ENDED_MS"}},
		"kept are none":        {"state_dir: /a\nkeep_ended_tasks: 0\n", nil, []string{"orchestratord.yaml:2:", "ORCHD_KEEP_ENDED_TASKS"}},
		"an empty grant":       {"state_dir: /a\nnode_models: {gpu1: [\"\"]}\n", nil, []string{"orchestratord.yaml:2:", "ORCHD_NODE_MODELS", "gpu1"}},
		"a grant of nothing":   {"state_dir: /a\n", []string{"ORCHD_NODE_MODELS", "gpu1"}, []string{"environment", "ORCHD_NODE_MODELS", "gpu1"}},
		"durability":           {"state_dir: /a\ndurability: some\n", nil, []string{"full or fast"}},
		"an empty variable":    {"state_dir: /a\nnode_networks: [10.0.0.0/8]\n", []string{"ORCHD_NODE_NETWORKS", ""}, []string{"ORCHD_NODE_NETWORKS", "set but empty", "unset it"}},
		"both forms":           {"state_dir: /a\n", []string{"LLORCH_API_TOKEN", token, "LLORCH_API_TOKEN_FILE", "/x"}, []string{"LLORCH_API_TOKEN"}},
	} {
		path := write(t, c.yaml)
		_, err := configure(path, environment(c.env...))
		if err == nil {
			t.Errorf("%s: was accepted", name)
			continue
		}
		texts = append(texts, name+": "+strings.ReplaceAll(err.Error(), path, filepath.Base(path)))
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), token) {
				t.Errorf("%s: got %q, want one line with %q and no token", name, err, want)
			}
		}
	}
	testkit.GoldenLines(t, "testdata/refused.txt", texts)
}

// TestAPipeIsNoConfiguration: to open one waits for its other end, and the daemon
// that takes TERM for itself could then not be ended by it.
func TestAPipeIsNoConfiguration(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := configure(pipe, environment())
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("got %v", err)
		}
	case <-time.After(stopTimeout):
		t.Error("it waits for a writer")
	}
}

// clusterOf is the environment of replica a without TLS.
func clusterOf(addr, peers string) []string {
	return []string{"ORCHD_CLUSTER_NAME", "llorch", "ORCHD_CLUSTER_REPLICA", "a", "ORCHD_CLUSTER_ADDR", addr, "ORCHD_CLUSTER_PEERS", peers}
}

func TestWhereTheStateIs(t *testing.T) {
	o, err := configure(write(t, "state_dir: /a\ndurability: fast\n"), environment(clusterOf("127.0.0.1:1", "127.0.0.1:1, 127.0.0.1:2,127.0.0.1:3")...))
	if err != nil {
		t.Fatal(err)
	}
	if c := o.Cluster; c == nil || c.Name != "llorch" || c.Replica != "a" || len(c.Peers) != 3 || c.Peers[1] != "127.0.0.1:2" || o.Durability != app.Fast || o.NATS != nil {
		t.Errorf("got %+v", o)
	}
	o, err = configure("", environment("ORCHD_NATS_URL", "nats://127.0.0.1:4222", "ORCHD_CLUSTER_REPLICA", "b"))
	if err != nil {
		t.Fatal(err)
	}
	if x := o.NATS; x == nil || x.Replica != "b" || o.Durability != app.Full || o.Cluster != nil {
		t.Errorf("got %+v", o)
	}
}

func TestCheckValidatesAndExits(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--check", "--config", write(t, "state_dir: /nowhere/at/all\n")}, environment(), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "orchestratord: the configuration is valid") {
		t.Errorf("got %q", out.String())
	}
}

func TestASignalStopsTheDaemon(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	lines, ended := make(lineWriter, 100), make(chan error, 1)
	file := write(t, "addr: 127.0.0.1:0\nstate_dir: "+t.TempDir()+"\n")
	go func() { ended <- run(ctx, []string{"--config", file}, environment(), io.Discard, lines) }()
	for line := range lines {
		if strings.Contains(line, `"serving"`) {
			break
		}
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("got %v", err)
		}
	case <-time.After(stopTimeout):
		t.Error("still running")
	}
}

// lineWriter passes on what is logged.
type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	select {
	case w <- string(p):
	default:
	}
	return len(p), nil
}

func TestNodeModelsAreReadFromFileAndEnvironment(t *testing.T) {
	want := map[string][]string{"gpu1": {"a", "team/*"}, "gpu2": {"b"}}
	for name, c := range map[string]struct {
		yaml string
		env  []string
	}{
		"in the file":        {"state_dir: /a\nnode_models:\n  gpu1: [a, team/*]\n  gpu2: [b]\n", nil},
		"in the environment": {"state_dir: /a\n", []string{"ORCHD_NODE_MODELS", "gpu1=a, team/* ; gpu2=b;"}},
	} {
		o, err := configure(write(t, c.yaml), environment(c.env...))
		if err != nil || !maps.EqualFunc(o.NodeModels, want, slices.Equal) {
			t.Errorf("%s: got %v, %v, want %v", name, o.NodeModels, err, want)
		}
	}
}
