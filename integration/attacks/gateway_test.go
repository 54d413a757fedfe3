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
	upstream := startEcho(t)
	listen, dial := pubHosts(t)
	_, pubPort, _ := net.SplitHostPort(gatewaytest.FreeAddress(t, listen))
	loop := gatewaytest.FreeAddress(t, "127.0.0.1")
	_, loopPort, _ := net.SplitHostPort(loop)
	// A site named by its port alone answers every Host: none may slip past the guard.
	config := fmt.Sprintf(`{
	admin off
	persist_config off
	authmin {
		token_file %s
		lockout off
		optional true
	}
}
http://:%s {
	bind %s
	authmin pub {
		plaintext%s
	}
	reverse_proxy %s {
		header_up %s {remote}
	}
}
http://:%s {
	bind 127.0.0.1
	authmin loop {%s
	}
	reverse_proxy %[5]s {
		header_up %[6]s {remote}
	}
}
`, writeKeyring(t), pubPort, listen, fixturePolicy, upstream.address(), peerHeader, loopPort, fixturePolicy)
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
