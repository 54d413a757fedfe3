//go:build observability

package observability_test

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// startLimit is how long a program may take to start on a machine that is busy.
const startLimit = 60 * time.Second

// capacity is how many tasks may wait: few, so that a queue is soon full.
const capacity = 10

// fleet is what Prometheus scrapes: a gateway with a site for each program behind it,
// three orchestrators, and a node.
type fleet struct {
	t        *testing.T
	dir      string
	tokens   map[string]string
	upstream string

	sites         map[string]string // of the gateway, by what is behind
	orchestrators []string          // their own addresses
	poolManager   string
	bareEngine    string // an engine without an orchestrator
	processes     map[string]*gatewaytest.Process
}

// scopes are those of the tokens, by name.
var scopes = map[string]string{"ci": "infer", "prometheus": "metrics", "owner": "admin", "node": "nodes", "sender": "dispatch", "leaked": "infer", "spender": "infer"}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{
		t: t, dir: t.TempDir(), tokens: map[string]string{}, upstream: rand.Text() + rand.Text(), poolManager: testkit.FreeAddress(t), bareEngine: testkit.FreeAddress(t),
		sites: map[string]string{}, processes: map[string]*gatewaytest.Process{},
	}
	for name := range scopes {
		f.tokens[name] = rand.Text() + rand.Text()
	}
	for range 3 {
		f.orchestrators = append(f.orchestrators, testkit.FreeAddress(t))
	}
	for _, site := range []string{"edge", "replica2", "replica3", "node", "trial", "open", "engine"} {
		f.sites[site] = testkit.FreeAddress(t)
	}
	f.writeKeyring("")
	f.write("Caddyfile", f.caddyfile())
	if err := os.Mkdir(f.path("budgets"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.write("pools.yaml", f.poolsConfig())
	f.startOrchestrators()
	f.startEngine()
	f.start("gateway", "llorch", []string{"LLORCH_UPSTREAM_TOKEN=" + f.upstream}, "run", "--adapter", "caddyfile", "--config", f.path("Caddyfile"))
	f.processes["gateway"].Listening(t, f.sites["edge"], f.sites["node"])
	testkit.Within(t, startLimit, "a replica that is ready", func() error {
		got, err := f.as("ci").Do("GET", "/v2/tasks", "")
		if err == nil && got.Status != 200 {
			err = fmt.Errorf("%d %s", got.Status, got.Body)
		}
		return err
	})
	f.refused("spender", "", "/v2/tasks", 200)
	f.spend(1) // the series of refusals begins here, so that later ones are an increase
	f.start("poolmanagerd", "poolmanagerd", []string{
		"POOL_MANAGERD_ADDR=" + f.poolManager, "POOL_MANAGERD_NODE_ID=node1", "POOL_MANAGERD_ADDRESS=http://" + f.sites["node"],
		"ORCHESTRATORD_URL=http://" + f.sites["edge"], "ORCHESTRATORD_TOKEN=" + f.tokens["node"],
		"POOL_MANAGERD_DISPATCH_TOKEN=" + f.tokens["sender"], "LLORCH_UPSTREAM_TOKEN=" + f.upstream,
	}, "--config", f.path("pools.yaml"))
	f.processes["poolmanagerd"].Listening(t, f.poolManager)
	testkit.Within(t, startLimit, "a task that runs", func() error {
		return f.runs(`{"model_ref":"demo","prompt":"x","max_tokens":4,"placement":{"mode":"pin","pin_pool_id":"quick"}}`)
	})
	return f
}

func (f *fleet) path(name string) string { return filepath.Join(f.dir, name) }

func (f *fleet) write(name, text string) {
	f.t.Helper()
	next := f.path(name + ".next")
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(next, f.path(name)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) start(name, program string, env []string, args ...string) {
	f.t.Helper()
	f.processes[name] = gatewaytest.StartCommand(f.t, gatewaytest.CommandOf(f.t, program, env, args...))
}

// startOrchestrators starts a cluster of three, whose routes are on loopback.
func (f *fleet) startOrchestrators() {
	f.t.Helper()
	var peers []string
	for range 3 {
		peers = append(peers, testkit.FreeAddress(f.t))
	}
	f.write("api_token", rand.Text()+rand.Text()+"\n")
	for i, address := range f.orchestrators {
		name := fmt.Sprint("replica", i+1)
		cmd := gatewaytest.CommandOf(f.t, "orchestratord", []string{
			"ORCHD_ADDR=" + address, "ORCHD_STATE_DIR=" + f.path(name), "LLORCH_UPSTREAM_TOKEN=" + f.upstream,
			"LLORCH_API_TOKEN_FILE=" + f.path("api_token"), fmt.Sprint("ORCHD_ADMISSION_CAPACITY=", capacity), "ORCHESTRATORD_NODE_TIMEOUT_MS=15000", // heartbeats are 10 s apart
			"ORCHD_CLUSTER_NAME=test", "ORCHD_CLUSTER_REPLICA=" + name, "ORCHD_CLUSTER_ADDR=" + peers[i],
			"ORCHD_CLUSTER_PEERS=" + strings.Join(peers, ","), "ORCHD_CLUSTER_ADVERTISE=" + peers[i],
		})
		if i == 0 {
			f.onSmallDisk(cmd, f.path(name))
		}
		f.processes[name] = gatewaytest.StartCommand(f.t, cmd)
	}
	for i := range f.orchestrators {
		f.processes[fmt.Sprint("replica", i+1)].Listening(f.t, f.orchestrators[i])
	}
}

// startEngine starts an engine whose first token takes 6 s, with a guard alone before it.
func (f *fleet) startEngine() {
	f.t.Helper()
	_, port, _ := net.SplitHostPort(f.bareEngine)
	f.write("engine.key", f.upstream+"\n")
	f.start("engine", "poolmanagerd", nil, "demo-engine", "--api-key-file", f.path("engine.key"), "--token-delay", "6s", "--port", port, "--parallel", "2", "--model", "demo")
	f.processes["engine"].Listening(f.t, f.bareEngine)
}

// onSmallDisk gives a program that is not started a disk of 400 MiB at dir, which goes with
// it. Only root may mount.
func (f *fleet) onSmallDisk(cmd *exec.Cmd, dir string) {
	f.t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		f.t.Fatal(err)
	}
	cmd.Args = append([]string{"sh", "-c", `mount -t tmpfs -o size=400m tmpfs "$1" && shift && exec "$@"`, "sh", dir, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
}

// writeKeyring writes the gateway's tokens, one of which soon expires, and revokes one.
func (f *fleet) writeKeyring(revoked string) {
	var lines strings.Builder
	for name, scope := range scopes {
		fmt.Fprintf(&lines, "%s sha256:%x %s", name, sha256.Sum256([]byte(f.tokens[name])), scope)
		if name == "ci" {
			fmt.Fprintf(&lines, " expires=%s", time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339))
		}
		if name == revoked {
			fmt.Fprint(&lines, " state=revoked")
		}
		if name == "spender" {
			fmt.Fprint(&lines, " budget=1requests/month")
		}
		fmt.Fprintln(&lines)
	}
	f.write("tokens", fmt.Sprintf("# format 2\n%s# end %d\n", lines.String(), len(scopes)))
}

// caddyfile has what alerts look for from the start: a shadow guard, a site that other
// machines reach without a guard, and a sink of the audit trail that nothing listens at.
func (f *fleet) caddyfile() string {
	port := func(site string) string { _, p, _ := net.SplitHostPort(f.sites[site]); return p }
	return strings.NewReplacer(
		"DIR", f.dir, "EDGE", port("edge"), "REPLICA2", port("replica2"), "REPLICA3", port("replica3"), "NODE", port("node"),
		"TRIAL", port("trial"), "OPEN", port("open"), "ORCH1", f.orchestrators[0], "ORCH2", f.orchestrators[1], "ORCH3", f.orchestrators[2],
		"POOLS", f.poolManager, "BARE", f.bareEngine, "ENGINE", port("engine"), "NOWHERE", testkit.FreeAddress(f.t),
	).Replace(caddyfile)
}

const caddyfile = `{
	admin unix/DIR/admin.sock|0600
	persist_config off
	grace_period 1s
	log {
		output file DIR/gateway.log {
			mode 0600
		}
		format authmin
	}
	authmin {
		token_file DIR/tokens
		state_dir DIR/budgets
		lockout 10 1m 5m
		audit file DIR/audit.ndjson
		audit syslog tcp NOWHERE
	}
}
http://:EDGE {
	bind 127.0.0.1
	authmin edge {
		require metrics GET /metrics /orchestrator/metrics
		require infer /v2/tasks /v2/tasks/* /v2/artifacts
		require admin GET /v2/nodes
		require nodes POST,DELETE /v2/nodes/*
		upstream_token {env.LLORCH_UPSTREAM_TOKEN}
	}
	handle /metrics {
		metrics
	}
	handle {
		reverse_proxy ORCH1
	}
}
http://:REPLICA2 {
	bind 127.0.0.1
	authmin replica2 {
		require metrics GET /orchestrator/metrics
		upstream_token {env.LLORCH_UPSTREAM_TOKEN}
	}
	reverse_proxy ORCH2
}
http://:REPLICA3 {
	bind 127.0.0.1
	authmin replica3 {
		require metrics GET /orchestrator/metrics
		upstream_token {env.LLORCH_UPSTREAM_TOKEN}
	}
	reverse_proxy ORCH3
}
http://:NODE {
	bind 127.0.0.1
	authmin node {
		require dispatch GET,POST /pools /pools/*
		require metrics GET /poolmanager/metrics
		upstream_token {env.LLORCH_UPSTREAM_TOKEN}
	}
	reverse_proxy POOLS
}
http://:ENGINE {
	bind 127.0.0.1
	authmin engine {
		require infer POST /v1/chat/completions
		usage
		upstream_token {env.LLORCH_UPSTREAM_TOKEN}
	}
	reverse_proxy BARE
}
http://:TRIAL {
	bind 127.0.0.1
	authmin trial {
		shadow
		require infer /*
	}
	respond ok
}
http://:OPEN {
	bind 0.0.0.0
	metrics
}
`

// poolsConfig has a pool that answers at once and one whose first token takes 6 s.
func (f *fleet) poolsConfig() string {
	return fmt.Sprintf(`runtime_dir: %s
templates:
  - name: demo
    base: demo
  - name: slow
    base: demo
    slots: 1
    command: [%s, demo-engine, --token-delay, 6s, --port, "{port}", --api-key-file, "{key_file}", --parallel, "{slots}", --model, "{model}"]
preload: [{pool_id: quick, template: demo}, {pool_id: slow, template: slow}]
`, f.path("pools"), gatewaytest.Program(f.t, "poolmanagerd"))
}

// as is the edge with a named token.
func (f *fleet) as(token string) gatewaytest.Client {
	return gatewaytest.Client{Base: "http://" + f.sites["edge"], Token: f.tokens[token]}
}
