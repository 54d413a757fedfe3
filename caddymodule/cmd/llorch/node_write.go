package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	_ "embed"
)

//go:embed node.caddyfile.tmpl
var nodeTemplateText string

var nodeTemplate = template.Must(template.New("Caddyfile").Parse(nodeTemplateText))

// caddyfile is the policy of the node's gateway: that of
// deploy/presets/poolmanager.caddyfile.
func (j *joining) caddyfile() string {
	var b strings.Builder
	err := nodeTemplate.Execute(&b, map[string]string{
		"Site": j.address, "Keyring": quote(filepath.Join(j.dir, keyringFile)), "PoolManager": j.listen,
		"Cert": quote(j.cert), "Key": quote(j.key),
	})
	if err != nil {
		panic(err) // a string builder takes everything
	}
	return b.String()
}

// poolManagerConfig is poolmanagerd.yaml.
func (j *joining) poolManagerConfig() []byte {
	var b strings.Builder
	b.WriteString("# This node's pool manager. Engines of your own are templates and pools here:\n" +
		"# poolmanagerd --help has the keys. The demo engine shows that the way works.\n")
	pairs := [][2]string{{"listen", j.listen}, {"node_id", j.nodeID}, {"address", j.address}, {"orchestrator_url", j.orchestrator}}
	if j.ca != "" {
		pairs = append(pairs, [2]string{"orchestrator_ca", filepath.Join(j.dir, caFile)})
	}
	for _, pair := range pairs {
		fmt.Fprintf(&b, "%s: %s\n", pair[0], yamlText(pair[1]))
	}
	b.WriteString("preload:\n  - {pool_id: demo, template: demo}\n")
	return []byte(b.String())
}

// write creates the files that are not there, or shows them.
func (j *joining) write() error {
	written := 0
	j.say("files         %s", j.dir)
	if !j.dryRun {
		// The units' users read their files in it; secrets have a directory of their own.
		if err := os.MkdirAll(j.dir, 0o755); err != nil {
			return fmt.Errorf("making %s: %w", j.dir, err)
		}
	}
	for _, f := range j.files {
		switch {
		case f.kept:
			j.say("  unchanged   %s", f.name)
		case j.dryRun:
			j.say("  would write %s", f.name)
			if !f.secret && f.name != caFile {
				j.say("%s", indented(string(f.text)))
			}
		default:
			if err := f.create(); err != nil {
				return fmt.Errorf("writing %s: %w", f.path, err)
			}
			written++
			j.say("  written     %s", f.name)
		}
	}
	if !j.dryRun && written == 0 {
		j.say("  Nothing to write: all files are there.")
	}
	return nil
}

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ")
}

// startLines say how gateway and pool manager are started: by their units, or by hand.
func (j *joining) startLines() string {
	var b strings.Builder
	b.WriteString("start the gateway and the pool manager of this node:")
	if j.dir == "/etc/llorch" {
		b.WriteString("\n     systemctl start llorch-gateway poolmanagerd\n   or without the units:")
	}
	of := func(name string) string { return shellQuote(filepath.Join(j.dir, "credentials", name)) }
	fmt.Fprintf(&b, "\n     CREDENTIALS_DIRECTORY=%s LLORCH_ADMIN_SOCKET=${XDG_RUNTIME_DIR:-/run}/llorch-admin.sock llorch run --config %s\n",
		shellQuote(filepath.Join(j.dir, "credentials")), shellQuote(filepath.Join(j.dir, "Caddyfile")))
	fmt.Fprintf(&b, "     POOL_MANAGERD_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run}/llorch-poolmanager LLORCH_API_TOKEN_FILE=%s LLORCH_UPSTREAM_TOKEN_FILE=%s ORCHESTRATORD_TOKEN_FILE=%s POOL_MANAGERD_DISPATCH_TOKEN_FILE=%s poolmanagerd --config %s",
		of("poolmanager_api_token"), of("upstream_token"), of("orchestrator_token"), of("dispatch_token"), shellQuote(filepath.Join(j.dir, "poolmanagerd.yaml")))
	return b.String()
}

// checkLoopback refuses a pool manager that other machines could reach.
func checkLoopback(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("--pool-manager %q: want an address of this machine only, such as 127.0.0.1:9200", listen)
	}
	return nil
}

// portOfURL is the port of an https URL.
func portOfURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Port() == "" {
		return "443"
	}
	return u.Port()
}
