package bypass_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// A gateway guards an upstream with the bypass on, on loopback, by plain HTTP,
// by TLS and on a Unix socket.
type gateway struct {
	*gatewaytest.Process
	plain, tls, socket string // host:port, host:port, path
	upstream           *recorder
	audit, access      string // the files
}

func (g *gateway) port() string {
	_, port, _ := net.SplitHostPort(g.plain)
	return port
}

func (g *gateway) tlsPort() string {
	_, port, _ := net.SplitHostPort(g.tls)
	return port
}

func startGateway(t *testing.T) *gateway {
	t.Helper()
	dir := socketDir(t)
	g := &gateway{
		plain: testkit.FreeAddress(t), tls: testkit.FreeAddress(t),
		socket: filepath.Join(dir, "gateway.sock"), audit: filepath.Join(dir, "audit.ndjson"), access: filepath.Join(dir, "access.ndjson"),
		upstream: startRecorder(t),
	}
	cert, key := testkit.NewAuthority(t).Issue("localhost", []string{"localhost"}) // no client checks it
	// Sites named by a port alone answer every Host: none may slip past the guard.
	config := fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	default_sni localhost
	authmin {
		optional {env.AUTH_OPTIONAL}
		lockout off
		audit file %s
	}
}
(guarded) {
	authmin {args[0]} {
		require infer /v1/*
	}
	log {
		output file %s
		format authmin
	}
	reverse_proxy %s
}
http://:%s {
	bind 127.0.0.1
	import guarded plain
}
https://:%s {
	bind 127.0.0.1
	tls %s %s
	import guarded tls
}
http://:80 {
	bind unix/%s
	import guarded socket
}
`, g.audit, g.access, g.upstream.address(), g.port(), g.tlsPort(), cert, key, g.socket)
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	g.Process = gatewaytest.Start(t, []string{"AUTH_OPTIONAL=true"}, "run", "--adapter", "caddyfile", "--config", file)
	g.Listening(t, g.plain, g.tls)
	return g
}

// socketDir is a folder whose path is short enough for a Unix socket: 107 bytes.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bypass-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
