//go:build containers

package containers

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

const chat = `{"model":"stub","messages":[{"role":"user","content":"hello"}],"stream":false}`

// TestHome starts the gateway with Ollama beside it by the commands of the document; a stub
// is in Ollama's place.
func TestHome(t *testing.T) {
	p := newProject(t, "home", "compose.yaml")
	address := testkit.FreeAddress(t)
	p.env = append(p.env, "LLORCH_PUBLISH="+address)
	blocks := p.document()
	p.sh(blocks[1])
	operator := p.token("operator", "admin")
	g := gatewayAt("localhost", address, p.authority())
	text, err := os.ReadFile(filepath.Join(p.dir, "me.token"))
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(string(text))
	testkit.Eventually(t, "the gateway serves", func() bool {
		_, err := g.wants(http.StatusOK, http.MethodPost, "/api/chat", token, chat)
		return err == nil
	})
	if out := p.sh(strings.ReplaceAll(blocks[2], "localhost:8443", "localhost:"+address[strings.LastIndex(address, ":")+1:])); !strings.Contains(out, `"stub"`) {
		t.Errorf("the document's call prints %q", out)
	}
	for name, c := range map[string]struct {
		token string
		want  int
		path  string
	}{
		"no token":        {"", http.StatusUnauthorized, "/api/chat"},
		"another token":   {strings.Repeat("x", 40), http.StatusUnauthorized, "/api/chat"},
		"scope is absent": {token, http.StatusForbidden, "/api/pull"},
	} {
		if _, err := g.wants(c.want, http.MethodPost, c.path, c.token, chat); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.confined("gateway")
	p.onlyPublished("gateway")
	p.onlyTheGatewayReachesOllama()

	before := p.inspect("gateway").State.StartedAt
	p.must("run", "--rm", "-T", "token", "revoke", "me", "--file", "/etc/llorch/keyring/tokens")
	testkit.Eventually(t, "a revoked token is refused", func() bool {
		_, err := g.wants(http.StatusUnauthorized, http.MethodPost, "/api/chat", token, chat)
		return err == nil
	})
	if _, err := g.wants(http.StatusOK, http.MethodPost, "/api/chat", operator, chat); err != nil {
		t.Errorf("the other token: %v", err)
	}
	if after := p.inspect("gateway").State.StartedAt; after != before {
		t.Error("the gateway was restarted for the change of a token")
	}
	testkit.Eventually(t, "the health check of the image passes", func() bool { return p.inspect("gateway").State.Health.Status == "healthy" })
}

// TestHomeOnTheHost has the upstream on loopback of this machine.
func TestHomeOnTheHost(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"message":{"content":"from the host"}}`)
	}))
	defer upstream.Close()
	p := newProject(t, "home", "host.yaml")
	address := testkit.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	p.env = append(p.env, "LLORCH_PORT="+port, "LLORCH_OLLAMA="+strings.TrimPrefix(upstream.URL, "http://"))
	token := p.token("me", "infer")
	p.must("up", "--detach")
	g := gatewayAt("localhost", address, p.authority())
	testkit.Eventually(t, "the gateway serves", func() bool {
		_, err := g.wants(http.StatusOK, http.MethodPost, "/api/chat", token, chat)
		return err == nil
	})
	if _, err := g.wants(http.StatusUnauthorized, http.MethodPost, "/api/chat", "", chat); err != nil {
		t.Error(err)
	}
	p.confined("gateway")
}

// TestWebUIIsConfigured does not run it: its images cannot be had without a registry.
func TestWebUIIsConfigured(t *testing.T) {
	p := newProject(t, "webui", "compose.yaml")
	if err := os.WriteFile(filepath.Join(p.dir, "webui.env"), []byte("OPENAI_API_KEY=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := p.must("config"); strings.Count(out, "8443/tcp")+strings.Count(out, "target: 8443") != 1 {
		t.Errorf("want one published port:\n%s", out)
	}
	token := p.token("webui", "infer")
	out := docker(t, slices.Concat(alone, []string{"--volume", p.dir + "/gateway:/etc/llorch/gateway:ro", "--volume", p.name + "_keyring:/etc/llorch/keyring:ro", "--tmpfs", "/var/lib/llorch-gateway:uid=10001,mode=0700", "--tmpfs", "/run/llorch:uid=10001,mode=0700",
		image, "llorch", "validate", "--config", "/etc/llorch/gateway/Caddyfile"})...)
	if strings.Contains(out, token) {
		t.Error("validate shows the token")
	}
}

// document returns the blocks of deploy/docs/install.md below Containers: the image, the
// start of home, and a call.
func (p *project) document() []string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "..", "..", "docs", "install.md"))
	if err != nil {
		p.t.Fatal(err)
	}
	blocks := gatewaytest.ConsoleBlocks(string(text), "Containers")
	if len(blocks) != 3 || blocks[0] != "deploy/containers/build.sh\n" { // as buildImages calls it
		p.t.Fatalf("blocks %q, want three of which the first builds the image", blocks)
	}
	return blocks
}

// sh runs lines of the document in the project's directory. Where Compose is a program of
// its own, `docker compose` calls it.
func (p *project) sh(lines string) string {
	p.t.Helper()
	command, err := composeCommand()
	if err != nil {
		p.t.Fatal(err)
	}
	if len(command) == 1 {
		lines = "docker() { if [ \"$1\" = compose ]; then shift; docker-compose \"$@\"; else command docker \"$@\"; fi; }\n" + lines
	}
	env := append(p.env, "COMPOSE_PROJECT_NAME="+p.name, "COMPOSE_FILE="+strings.Join(p.files, ":"))
	out, err := run(p.dir, env, "sh", "-euc", lines)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// authority is the gateway's own, which its data directory has once it has started.
func (p *project) authority() *x509.CertPool {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "root.crt")
	testkit.Eventually(p.t, "the gateway made its authority", func() bool {
		_, err := run("", nil, "docker", "cp", p.container("gateway")+":/var/lib/llorch-gateway/caddy/pki/authorities/local/root.crt", file)
		return err == nil
	})
	return rootsOf(p.t, file)
}

func rootsOf(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatalf("%s has no certificate", file)
	}
	return roots
}

// confined looks at what each container of ours runs as.
func (p *project) confined(services ...string) {
	p.t.Helper()
	for _, service := range services {
		c := p.inspect(service)
		if !c.HostConfig.ReadonlyRootfs || c.HostConfig.Privileged || !slices.Equal(c.HostConfig.CapDrop, []string{"ALL"}) || !slices.Contains(c.HostConfig.SecurityOpt, "no-new-privileges:true") {
			p.t.Errorf("%s: %+v, want a read-only root, no capability and no way to one", service, c.HostConfig)
		}
		if uid, _, _ := strings.Cut(c.Config.User, ":"); uid == "" || strings.Trim(uid, "0") == "" || strings.Trim(uid, "0123456789") != "" {
			p.t.Errorf("%s runs as %q, want the number of a user that is not root", service, c.Config.User)
		}
	}
}

// onlyPublished looks that these services have a port of this machine, on loopback, and
// the others have none.
func (p *project) onlyPublished(services ...string) {
	p.t.Helper()
	for _, service := range strings.Fields(p.must("ps", "--services")) {
		if p.must("ps", "--quiet", service) == "" {
			continue // a tool, which is not started
		}
		published := 0
		for _, ports := range p.inspect(service).NetworkSettings.Ports {
			for _, port := range ports {
				if published++; port.HostIp != "127.0.0.1" {
					p.t.Errorf("%s is published at %s", service, port.HostIp)
				}
			}
		}
		if want := slices.Contains(services, service); want != (published > 0) {
			p.t.Errorf("%s has %d published ports, want some: %v", service, published, want)
		}
	}
}

// onlyTheGatewayReachesOllama connects to each of its addresses from the other networks
// of the project, and from the gateway's.
func (p *project) onlyTheGatewayReachesOllama() {
	p.t.Helper()
	addresses := []string{}
	for _, network := range p.inspect("ollama").NetworkSettings.Networks {
		addresses = append(addresses, network.IPAddress+":11434")
	}
	inside := p.net + ".2:11434"
	for network, open := range map[string]bool{"edge": false, "models": false, "engine": true} {
		out := docker(p.t, append([]string{"run", "--rm", "--network", p.name + "_" + network, stub}, addresses...)...)
		if got := strings.Contains(out, inside+" is open"); got != open || strings.Count(out, "is open") > 1 || !open && strings.Contains(out, "is open") {
			p.t.Errorf("from the network %s, want Ollama open: %v, got\n%s", network, open, out)
		}
	}
}
