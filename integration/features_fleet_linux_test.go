package integration_test

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// fleet is what the scenarios run against, each part a process of its own: a
// gateway with the policy of Caddyfile.example and a site for each node, the
// orchestrator, and three pool managers with demo engines. A second gateway has
// AUTH_OPTIONAL=true.
type fleet struct {
	t      *testing.T
	dir    string
	tokens map[string]string // by name

	edge, local  string // base URLs of the gateways
	orchestrator string // of the orchestrator itself
	nodes        map[string]*fleetNode
	processes    map[string]*gatewaytest.Process

	env         []string // of the gateway and of the operator's commands
	upstream    string
	modelDigest string
	keyring     []byte // what restoreKeyring puts back; nil: nothing to put back
	clients     int    // addresses given to scenarios
	scenarios   int    // begun
}

// fleetNode is a pool manager and the site in front of it.
type fleetNode struct {
	name, pool, site, address string
	upstream                  string // its gateway's credential; each host has its own
}

// fleetScopes are the tokens of the keyring, and the scope of each.
var fleetScopes = map[string]string{
	"owner": "admin", "ci": "infer", "other": "infer", "scraper": "metrics", "librarian": "catalog",
	"node1": "nodes", "node2": "nodes", "node3": "nodes", "node4": "nodes",
	"node1-dispatch": "dispatch", "node2-dispatch": "dispatch", "node3-dispatch": "dispatch",
}

// nodeTimeoutMS is how long a killed node counts as online; heartbeats are 10 s apart.
const nodeTimeoutMS = "12000"

func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{
		t: t, dir: t.TempDir(), tokens: map[string]string{}, upstream: rand.Text() + rand.Text(),
		nodes: map[string]*fleetNode{}, processes: map[string]*gatewaytest.Process{},
		edge: "http://" + testkit.FreeAddress(t), local: "http://" + testkit.FreeAddress(t),
		orchestrator: "http://" + testkit.FreeAddress(t),
	}
	lines := map[string]string{}
	for name, scope := range fleetScopes {
		f.tokens[name] = rand.Text() + rand.Text()
		lines[name+" "+scope] = f.tokens[name]
	}
	writeKeyring(t, f.dir, lines)
	f.tokens["dispatch"] = rand.Text() + rand.Text() // of nodes that are only registered
	for i := range 3 {
		name := fmt.Sprint("node", i+1)
		f.nodes[name] = &fleetNode{
			name: name, pool: fmt.Sprint("pool", i+1),
			site: testkit.FreeAddress(t), address: testkit.FreeAddress(t), upstream: rand.Text() + rand.Text(),
		}
	}
	f.env = []string{"LLORCH_ADMIN_SOCKET=" + filepath.Join(f.dir, "admin.sock"), "LLORCH_UPSTREAM_TOKEN=" + f.upstream}
	for name, n := range f.nodes {
		f.env = append(f.env, strings.ToUpper(name)+"_UPSTREAM_TOKEN="+n.upstream)
	}
	f.write("Caddyfile", f.gatewayConfig())
	f.write("local.Caddyfile", f.localConfig())
	f.write("audit.key", rand.Text()+rand.Text()+"\n")
	f.writeModel()
	f.startAll()
	return f
}

func (f *fleet) path(name string) string      { return filepath.Join(f.dir, name) }
func (f *fleet) auditFile(name string) string { return f.path(name + ".ndjson") }

func (f *fleet) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// writeModel puts a file below the orchestrator's model root.
func (f *fleet) writeModel() {
	const content = "a model for the catalog's scenarios"
	if err := os.Mkdir(f.path("models"), 0o700); err != nil {
		f.t.Fatal(err)
	}
	f.write("models/tiny.gguf", content)
	f.modelDigest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
}

func (f *fleet) startAll() {
	f.t.Helper()
	f.start("gateway", "llorch", f.env, "run", "--adapter", "caddyfile", "--config", f.path("Caddyfile"))
	f.start("local gateway", "llorch", append(f.env, "AUTH_OPTIONAL=true"), "run", "--adapter", "caddyfile", "--config", f.path("local.Caddyfile"))
	f.start("the orchestrator", "orchestratord", []string{
		"ORCHD_ADDR=" + hostOf(f.orchestrator), "ORCHD_STATE_DIR=" + f.path("state"), "ORCHD_MODEL_ROOT=" + f.path("models"),
		"ORCHESTRATORD_NODE_TIMEOUT_MS=" + nodeTimeoutMS, "ORCHESTRATORD_PLACEMENT_STRATEGY=round-robin", "ORCHD_DRAIN_MS=0",
		"LLORCH_UPSTREAM_TOKEN=" + f.upstream,
	})
	f.processes["gateway"].Listening(f.t, hostOf(f.edge))
	f.processes["local gateway"].Listening(f.t, hostOf(f.local))
	f.processes["the orchestrator"].Listening(f.t, hostOf(f.orchestrator))
	for _, n := range f.nodes {
		f.startNode(n.name)
	}
	if err := f.online("node1", "node2", "node3"); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) start(name, program string, env []string, args ...string) {
	f.t.Helper()
	f.processes[name] = gatewaytest.StartCommand(f.t, gatewaytest.CommandOf(f.t, program, env, args...))
}

// startNode starts the pool manager of a node, or starts it again. That of node1
// is called the pool manager; its gateway is its own site, not the edge.
func (f *fleet) startNode(name string) {
	f.t.Helper()
	n := f.nodes[name]
	config := fmt.Sprintf("runtime_dir: %s\npreload: [{pool_id: %s, template: demo}]\n", f.path(name), n.pool)
	f.write(name+".yaml", config)
	process := name
	if name == "node1" {
		process = "the pool manager"
	}
	f.start(process, "poolmanagerd", []string{
		"POOL_MANAGERD_ADDR=" + n.address, "POOL_MANAGERD_NODE_ID=" + name, "POOL_MANAGERD_ADDRESS=http://" + n.site,
		"ORCHESTRATORD_URL=" + f.edge, "ORCHESTRATORD_TOKEN=" + f.tokens[name],
		"POOL_MANAGERD_DISPATCH_TOKEN=" + f.tokens[name+"-dispatch"], "LLORCH_UPSTREAM_TOKEN=" + n.upstream,
	}, "--config", f.path(name+".yaml"))
}

func hostOf(base string) string { return strings.TrimPrefix(base, "http://") }

// newAddress is a loopback address that no scenario has called from. 250 of each
// third number are given.
func (f *fleet) newAddress() string {
	f.clients++
	return net.IPv4(127, 0, byte(1+f.clients/250), byte(1+f.clients%250)).String()
}

// as is the edge with a named token, from the machine's usual address.
func (f *fleet) as(token string) gatewaytest.Client {
	return gatewaytest.Client{Base: f.edge, Token: f.tokens[token]}
}

// written is how much each process has written so far.
func (f *fleet) written() map[string]int {
	sizes := map[string]int{}
	for name, p := range f.processes {
		sizes[name] = len(p.Output())
	}
	return sizes
}

// restoreKeyring puts the keyring back that a scenario has spoilt.
func (f *fleet) restoreKeyring() error {
	if f.keyring == nil {
		return nil
	}
	next := f.path("tokens.next")
	err := errors.Join(os.WriteFile(next, f.keyring, 0o600), os.Rename(next, f.path("tokens")))
	f.keyring = nil
	return err
}

// holdsNoToken looks for every token of the fleet in what its processes have
// written: their output, their logs and the audit trails.
func (f *fleet) holdsNoToken() error {
	var found error
	all := maps.Clone(f.tokens)
	all["of the gateway for the orchestrator"] = f.upstream
	for name, n := range f.nodes {
		all["of the gateway for "+name] = n.upstream
	}
	for name, text := range f.texts() {
		for of, token := range all {
			if strings.Contains(text, token) {
				found = errors.Join(found, fmt.Errorf("%s holds the token %q", name, of))
			}
		}
	}
	return found
}

// texts is everything that has been written, by where.
func (f *fleet) texts() map[string]string {
	all := map[string]string{}
	for name, p := range f.processes {
		all["the output of "+name] = p.Output()
	}
	for _, name := range []string{"audit.ndjson", "local.ndjson", "gateway.log", "local.log"} {
		text, err := os.ReadFile(f.path(name))
		if err != nil {
			f.t.Errorf("reading what was written: %v", err)
		}
		all[name] = string(text)
	}
	return all
}

// startLimit bounds the wait for three engines on a busy machine.
const startLimit = 60 * time.Second
