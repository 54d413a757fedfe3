package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/llorch/gateway/authmin"
)

const (
	hosts      = 3
	nodes      = 2       // hosts 1 and 2 have a pool manager
	slots      = 32      // of each engine
	tokenDelay = "200ms" // a token of the engine: each goes through everything
)

// host is one machine of the fleet: a gateway, an orchestrator, and perhaps a pool manager.
type host struct {
	name, ip    string
	edge        string // host:port of the gateway
	nodeSite    string // of its site for the pool manager
	http        string // of the orchestrator
	routes      string // where the orchestrator listens for the others, behind link
	poolAddress string
	dir         string
	link        *link
	upstream    authmin.Secret // its gateway's credential for the pool manager
	config      string         // the Caddyfile

	gateway, orchestrator *process
	pools                 *process // nil: it has none
}

// processes are those of the host, in the order of a start.
func (h *host) processes() []*process {
	all := []*process{h.orchestrator, h.gateway}
	if h.pools != nil {
		all = append(all, h.pools)
	}
	return all
}

func newHost(dir string, i int) (*host, error) {
	h := &host{name: fmt.Sprint("host", i+1), ip: fmt.Sprint("127.0.0.", i+1), upstream: authmin.RandomSecret()}
	h.dir = filepath.Join(dir, h.name)
	for _, part := range []string{"gateway", "orchestrator", "pools"} {
		if err := os.MkdirAll(filepath.Join(h.dir, part), 0o700); err != nil {
			return nil, fmt.Errorf("making the folders of %s: %w", h.name, err)
		}
	}
	for _, address := range []*string{&h.edge, &h.nodeSite, &h.http, &h.routes, &h.poolAddress} {
		var err error
		if *address, err = freeAddress(h.ip); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *host) socket() string { return filepath.Join(h.dir, "gateway", "admin.sock") }

// prepareGateway writes the gateway's configuration: the shipped Caddyfile with the
// addresses of this fleet, its own orchestrator first and the others while that one is not
// ready, and a site in front of the pool manager.
func (h *host) prepareGateway(programs, keys string, upstream authmin.Secret, all []*host) error {
	top, err := root()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(top, "Caddyfile.example"))
	if err != nil {
		return err
	}
	dir := filepath.Join(h.dir, "gateway")
	_, port, _ := net.SplitHostPort(h.edge)
	config := string(text)
	for _, change := range [][2]string{
		{"http://:8080 {\n\tbind 127.0.0.1", "http://:" + port + " {\n\tbind " + h.ip},
		{"grace_period 5s\n", "grace_period 5s\n" + globalBlock(keys, dir)},
		{"\t\tformat authmin", "\t\toutput file " + filepath.Join(dir, "caddy.log") + " {\n\t\t\tmode 0600\n\t\t\troll_size 16MiB\n\t\t\troll_keep 2\n\t\t}\n\t\tformat authmin"},
		{"reverse_proxy 127.0.0.1:9200 {", "reverse_proxy " + h.poolAddress + " {"},
		{"reverse_proxy 127.0.0.1:8081 {", "reverse_proxy " + h.upstreams(all) + " {" + balance},
	} {
		if !strings.Contains(config, change[0]) {
			return fmt.Errorf("preparing the gateway of %s: Caddyfile.example has no %q any more", h.name, change[0])
		}
		config = strings.Replace(config, change[0], change[1], 1)
	}
	h.config = config + h.site()
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(h.config), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "audit.key"), []byte(authmin.RandomSecret().Reveal()+"\n"), 0o600); err != nil {
		return err
	}
	h.gateway = &process{
		name: "gateway" + h.name[4:], dir: dir, command: []string{filepath.Join(programs, "llorch"), "run", "--adapter", "caddyfile", "--config", file},
		env: []string{"LLORCH_ADMIN_SOCKET=" + h.socket(), "LLORCH_UPSTREAM_TOKEN=" + upstream.Reveal(), "NODE_UPSTREAM_TOKEN=" + h.upstream.Reveal()},
	}
	return nil
}

// balance is a gateway's way to the orchestrators: one that is not ready gets no requests,
// and one to which no connection can be made is left out for a second.
const balance = `
			lb_policy first
			lb_try_duration 5s
			lb_try_interval 100ms
			fail_duration 1s
			health_uri /ready
			health_interval 2s
			health_timeout 2s`

func (h *host) upstreams(all []*host) string {
	addresses := []string{h.http}
	for _, other := range all {
		if other != h {
			addresses = append(addresses, other.http)
		}
	}
	return strings.Join(addresses, " ")
}

func globalBlock(keys, dir string) string {
	return fmt.Sprintf(`
	persist_config off
	authmin {
		token_file %s
		audit file %s {
			chain %s
			required
		}
	}
`, keys, filepath.Join(dir, "audit.ndjson"), filepath.Join(dir, "audit.key"))
}

func (h *host) site() string {
	_, port, _ := net.SplitHostPort(h.nodeSite)
	return fmt.Sprintf(`
http://:%s {
	bind %s
	authmin node {
		require dispatch GET,POST /pools /pools/*
		upstream_token {env.NODE_UPSTREAM_TOKEN}
	}
	reverse_proxy %s {
		stream_close_delay 1h
	}
}
`, port, h.ip, h.poolAddress)
}

// prepareOrchestrator gives the orchestrator its certificate and its peers.
func (h *host) prepareOrchestrator(programs string, upstream authmin.Secret, a *authority, serial int64, peers []string) error {
	cert, key, err := a.issue(h.name, serial, net.ParseIP(h.ip))
	if err != nil {
		return err
	}
	dir := filepath.Join(h.dir, "orchestrator")
	h.orchestrator = &process{
		name: "orchestrator" + h.name[4:], dir: dir, command: []string{filepath.Join(programs, "orchestratord")},
		env: []string{
			"ORCHD_ADDR=" + h.http, "ORCHD_STATE_DIR=" + filepath.Join(dir, "state"), "LLORCH_UPSTREAM_TOKEN=" + upstream.Reveal(),
			"ORCHESTRATORD_PLACEMENT_STRATEGY=round-robin", "ORCHD_CLUSTER_NAME=soak", "ORCHD_CLUSTER_REPLICA=" + h.name, "ORCHD_CLUSTER_ADDR=" + h.routes,
			"ORCHD_CLUSTER_PEERS=" + strings.Join(peers, ","), "ORCHD_CLUSTER_ADVERTISE=" + h.link.address,
			"ORCHD_CLUSTER_CERT=" + cert, "ORCHD_CLUSTER_KEY=" + key, "ORCHD_CLUSTER_CA=" + a.file,
		},
	}
	return nil
}

// preparePools gives the pool manager its engine, and its tokens.
func (h *host) preparePools(programs string, register, dispatch authmin.Secret) error {
	dir := filepath.Join(h.dir, "pools")
	program := filepath.Join(programs, "poolmanagerd")
	config := fmt.Sprintf(`runtime_dir: %s
templates:
  - base: demo
    name: slow-demo
    slots: %d
    command: [%s, demo-engine, --port, "{port}", --api-key-file, "{key_file}", --parallel, "{slots}", --model, "{model}", --token-delay, %s]
preload: [{pool_id: p%s, template: slow-demo}]
`, filepath.Join(dir, "run"), slots, program, tokenDelay, h.name[4:])
	file := filepath.Join(dir, "poolmanagerd.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	h.pools = &process{
		name: "pools" + h.name[4:], dir: dir, command: []string{program, "--config", file},
		env: []string{
			"POOL_MANAGERD_ADDR=" + h.poolAddress, "POOL_MANAGERD_NODE_ID=node" + h.name[4:], "POOL_MANAGERD_ADDRESS=http://" + h.nodeSite,
			"ORCHESTRATORD_URL=http://" + h.edge, "ORCHESTRATORD_TOKEN=" + register.Reveal(),
			"POOL_MANAGERD_DISPATCH_TOKEN=" + dispatch.Reveal(), "LLORCH_UPSTREAM_TOKEN=" + h.upstream.Reveal(),
		},
	}
	return nil
}
