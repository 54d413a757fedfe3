package tasks_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// chain is the demo engine and, before it, pool manager, orchestrator and
// gateway: each a process of its own.
type chain struct {
	direct, through endpoint
	orchestrator    *orchestratord
	poolManager     *gatewaytest.Process
	gateway         *gatewaytest.Process
	gatewayAddress  string
}

// slots is how many answers the engine makes at once.
const slots = 256

// startChain starts everything. delay is the engine's pause before each token.
func startChain(b *testing.B, delay string) *chain {
	b.Helper()
	return startChainOf(b, "", delay)
}

// startChainOf has the two daemons of a folder, see daemon.
func startChainOf(b *testing.B, from, delay string) *chain {
	b.Helper()
	c := &chain{orchestrator: startOrchestratorOf(b, from, "ORCHD_ADMISSION_CAPACITY=20000")}
	dir := b.TempDir()
	key, client := authmin.RandomSecret().Reveal(), authmin.RandomSecret().Reveal()
	keyFile := write(b, dir, "key", key)
	engine := testkit.FreeAddress(b)
	_, port, _ := net.SplitHostPort(engine)
	startEngine(b, from, "--port", port, "--api-key-file", keyFile, "--parallel", fmt.Sprint(slots), "--token-delay", delay).Listening(b, engine)
	c.startPoolManager(b, from, dir, engine, keyFile)
	c.gatewayAddress = testkit.FreeAddress(b)
	_, port, _ = net.SplitHostPort(c.gatewayAddress)
	config := fmt.Sprintf(`{
	admin off
	persist_config off
	grace_period 1s
	log {
		output file %s/log
		format authmin
	}
	authmin {
		token bench {env.BENCH_TOKEN} infer
		lockout off
	}
}
http://:%s {
	bind 127.0.0.1
	authmin edge {
		require infer /v2/tasks /v2/tasks/* /v1/*
		upstream_token {env.UPSTREAM_TOKEN}
	}
	reverse_proxy %s {
		transport http {
			keepalive_idle_conns_per_host 256
		}
	}
}
`, dir, port, c.orchestrator.address)
	c.gateway = gatewaytest.Start(b, []string{"BENCH_TOKEN=" + client, "UPSTREAM_TOKEN=" + c.orchestrator.upstream},
		"run", "--adapter", "caddyfile", "--config", write(b, dir, "Caddyfile", config))
	c.gateway.Listening(b, c.gatewayAddress)
	c.direct = newEndpoint("http://"+engine, key)
	c.through = newEndpoint("http://"+c.gatewayAddress, client)
	testkit.Within(b, startLimit, "an answer through everything", func() error {
		_, err := c.through.ask(1)
		return err
	})
	return c
}

// startEngine runs the demo engine, with an older pool manager its own: what the two say
// to each other has changed.
func startEngine(b *testing.B, from string, args ...string) *gatewaytest.Process {
	b.Helper()
	args = append([]string{"demo-engine"}, args...)
	if from != "" {
		return daemon(b, from, "llorch", nil, args...)
	}
	return gatewaytest.Start(b, nil, args...)
}

func (c *chain) startPoolManager(b *testing.B, from, dir, engine, keyFile string) {
	b.Helper()
	token := authmin.RandomSecret().Reveal()
	config := fmt.Sprintf(`
listen: 127.0.0.1:0
runtime_dir: %s/run
node_id: bench
orchestrator_url: http://%s
templates:
  - {name: bench, base: url, url: "http://%s", url_key_file: %s, slots: %d}
preload:
  - {pool_id: bench, template: bench}
`, dir, c.orchestrator.address, engine, keyFile, slots)
	address := testkit.FreeAddress(b)
	c.poolManager = daemon(b, from, "poolmanagerd", []string{"POOL_MANAGERD_ADDR=" + address, "LLORCH_API_TOKEN=" + token,
		"ORCHESTRATORD_TOKEN=" + c.orchestrator.token, "POOL_MANAGERD_DISPATCH_TOKEN=" + token},
		"--config", write(b, dir, "poolmanagerd.yaml", config))
	c.poolManager.Listening(b, address)
}

func write(b *testing.B, dir, name, text string) string {
	b.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

func newEndpoint(base, token string) endpoint {
	return endpoint{base: base, token: token, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: slots, DisableCompression: true}}}
}
