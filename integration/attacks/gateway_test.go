package attacks_test

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// A target is something to attack: a guarded listener that is exposed, one on
// loopback with the bypass on, and the upstream behind both.
type target struct {
	pub, loop string // host:port to connect to
	upstream  *echo
}

// pubHosts are the host to listen on and the one to connect to for an exposed
// listener: the first address of this machine that is not loopback; the
// packets do not leave the machine. A machine without one gets a listener on
// every address, which is no less exposed, reached by way of 127.0.0.1.
func pubHosts(t testing.TB) (listen, dial string) {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String(), ip.IP.String()
		}
	}
	return "0.0.0.0", "127.0.0.1"
}

// fixturePolicy is the policy of fixtures.json; what it does not name is
// refused without being told to.
const fixturePolicy = `
		public GET,HEAD /health
		public /public/*
		require infer /v1/*
		require admin /admin/*`

// startGateway runs llorch with the listeners, tokens and policy of fixtures.json.
func startGateway(t testing.TB) target {
	t.Helper()
	return startListeners(t, gatewayKind{scheme: "http", guard: "plaintext"})
}

// startSecureGateway is the same over TLS, for HTTP/2 and HTTP/3.
func startSecureGateway(t testing.TB) target {
	t.Helper()
	return startListeners(t, secureKind(t))
}

// secureKind is a gateway over TLS with a certificate of its own making.
func secureKind(t testing.TB) gatewayKind {
	return gatewayKind{
		scheme: "https", site: "tls internal",
		// A certificate is made for the host that has a name, and shown to all.
		alias:  "https://localhost:",
		peer:   "{http.request.proto} ", // UDP and TCP have their own ports
		global: "local_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n\tstorage file_system " + t.TempDir(),
	}
}

// gatewayKind is what the two ways to start the gateway differ in.
type gatewayKind struct {
	scheme, alias, peer string
	global, site, guard string // lines for the Caddyfile
	policy              string // in place of fixturePolicy
	before              string // directives between the guard and the proxy; UPSTREAM is its address
	upstream            string // host:port in place of an echo upstream
}

func startListeners(t testing.TB, kind gatewayKind) target {
	t.Helper()
	upstream, origin := (*echo)(nil), kind.upstream
	if origin == "" {
		upstream = startEcho(t)
		origin = upstream.address()
	}
	if kind.policy == "" {
		kind.policy = fixturePolicy
	}
	before := strings.ReplaceAll(kind.before, "UPSTREAM", origin)
	listen, dial := pubHosts(t)
	_, pubPort, _ := net.SplitHostPort(testkit.FreeAddressOn(t, listen))
	loop := testkit.FreeAddress(t)
	_, loopPort, _ := net.SplitHostPort(loop)
	// A site named by its port alone answers every Host: none may slip past the guard.
	site := func(name, port, bind, guard string) string {
		addresses := kind.scheme + "://:" + port
		if kind.alias != "" {
			addresses = kind.alias + port + ", " + addresses
		}
		return fmt.Sprintf("%s {\n\tbind %s\n\t%s\n\tauthmin %s {\n\t\t%s%s\n\t}\n\t%s\n\treverse_proxy %s {\n\t\theader_up %s \"%s{remote}\"\n\t}\n}\n",
			addresses, bind, kind.site, name, guard, kind.policy, before, origin, peerHeader, kind.peer)
	}
	config := fmt.Sprintf("{\n\tadmin off\n\tpersist_config off\n\t%s\n\tauthmin {\n\t\ttoken_file %s\n\t\tlockout off\n\t\toptional true\n\t}\n}\n",
		kind.global, writeKeyring(t)) +
		site("pub", pubPort, listen, kind.guard) + site("loop", loopPort, "127.0.0.1", "")
	to := target{pub: net.JoinHostPort(dial, pubPort), loop: loop, upstream: upstream}
	p := gatewaytest.Start(t, nil, "run", "--adapter", "caddyfile", "--config", writeFile(t, "Caddyfile", config))
	p.Listening(t, to.pub, to.loop)
	return to
}

// writeKeyring writes the tokens of fixtures.json as a keyring file.
func writeKeyring(t testing.TB) string {
	t.Helper()
	past, future := "2020-01-01T00:00:00Z", time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339)
	return writeFile(t, "tokens", keyring(
		keyringLine("ci", tokenOK, "infer"),
		keyringLine("ops", tokenAdmin, "admin"),
		keyringLine("old", tokenExpired, "infer", "expires="+past),
		keyringLine("gone", tokenRevoked, "infer", "state=revoked"),
		keyringLine("soon", tokenFuture, "infer", "not_before="+future),
	))
}

func keyringLine(name, token, scopes string, more ...string) string {
	sum := sha256.Sum256([]byte(token))
	return strings.Join(append([]string{fmt.Sprintf("%s sha256:%x %s", name, sum, scopes)}, more...), " ")
}

func keyring(lines ...string) string {
	return strings.Join(lines, "\n") + fmt.Sprintf("\n# end %d\n", len(lines))
}

// writeFile puts a file that only this user may read into a folder of its own.
func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
