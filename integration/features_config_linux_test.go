package integration_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// gatewayConfig is Caddyfile.example with its addresses replaced, a global authmin
// block, and one more site for each node.
func (f *fleet) gatewayConfig() string {
	f.t.Helper()
	root, err := gatewaytest.Root()
	if err != nil {
		f.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "Caddyfile.example"))
	if err != nil {
		f.t.Fatal(err)
	}
	_, port, _ := strings.Cut(hostOf(f.edge), ":")
	config := replaceAll(f.t, string(text), map[string]string{
		":8080": ":" + port, "127.0.0.1:8081": hostOf(f.orchestrator), "127.0.0.1:9200": f.nodes["node1"].address,
		"grace_period 5s\n":  "grace_period 1s\n" + f.globalBlock(),
		"\t\tformat authmin": fmt.Sprintf("\t\toutput file %s {\n\t\t\tmode 0600\n\t\t}\n\t\tformat authmin", f.path("gateway.log")),
	})
	for _, name := range slices.Sorted(maps.Keys(f.nodes)) {
		config += f.nodeSite(f.nodes[name])
	}
	return config
}

// globalBlock has a short lockout, so that a scenario can see its end.
func (f *fleet) globalBlock() string {
	return fmt.Sprintf(`
	persist_config off
	authmin {
		token_file %s
		lockout 5 1m 3s
		audit file %s {
			chain %s
			required
		}
	}
`, f.path("tokens"), f.auditFile("audit"), f.path("audit.key"))
}

func (f *fleet) nodeSite(n *fleetNode) string {
	_, port, _ := strings.Cut(n.site, ":")
	return fmt.Sprintf(`
http://:%s {
	bind 127.0.0.1
	authmin %s {
		require dispatch GET,POST /pools /pools/*
		upstream_token {env.%s_UPSTREAM_TOKEN}
	}
	reverse_proxy %s
}
`, port, n.name, strings.ToUpper(n.name), n.address)
}

// localConfig is the gateway with the loopback bypass.
func (f *fleet) localConfig() string {
	_, port, _ := strings.Cut(hostOf(f.local), ":")
	return fmt.Sprintf(`{
	admin off
	persist_config off
	grace_period 1s
	log {
		output file %s {
			mode 0600
		}
		format authmin
	}
	authmin {
		token_file %s
		optional {env.AUTH_OPTIONAL}
		audit file %s
	}
}

http://:%s {
	bind 127.0.0.1
	authmin local {
		require infer /v2/tasks /v2/tasks/*
		upstream_token {env.LLORCH_UPSTREAM_TOKEN}
	}
	reverse_proxy %s
}
`, f.path("local.log"), f.path("tokens"), f.auditFile("local"), port, hostOf(f.orchestrator))
}
