package canary_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// A gateway is a llorch that writes all that it can, at DEBUG.
type gateway struct {
	address, folder, config, socket string
	unguarded                       string // the address of a site without a guard
	keyed                           string // of one whose guard reads X-Api-Key, too
	process                         *gatewaytest.Process
	upstream                        *upstream
	traces                          *collector
	syslog                          *syslog
}

// The files with secrets, which are not searched.
const keyringFile, upstreamFile = "tokens", "upstream_token"

// caddyfile has the folder, the ports and the log's format to be filled in.
const caddyfile = `{
	admin unix/{dir}/admin.sock|0600
	grace_period 1s
	log {
		output file {dir}/default.log
		level DEBUG
		format {format}
	}
	authmin {
		token_file {dir}/tokens
		token env {env.CANARY} metrics
		lockout off
		admin_api
		audit file {dir}/audit.ndjson
		audit stderr
		audit syslog udp {syslog}
	}
}
http://:{port} {
	bind 127.0.0.1
	log {
		output file {dir}/access.log
		level DEBUG
		format {format}
	}
	tracing {
		span canary
	}
	authmin edge {
		public /health /health/*
		require infer /v1/*
		require metrics /metrics
		allow_trailers /v1/*
		upstream_token {file.{dir}/upstream_token}
	}
	handle /v1/down* {
		reverse_proxy 127.0.0.1:1
	}
	handle /metrics {
		metrics
	}
	handle {
		reverse_proxy {upstream}
	}
}
http://:{keyed} {
	bind 127.0.0.1
	log {
		output file {dir}/access.log
		level DEBUG
		format {format}
	}
	authmin keyed {
		credentials bearer x-api-key
		public /health
		require infer /v1/*
		upstream_token {file.{dir}/upstream_token}
	}
	handle /v1/down* {
		reverse_proxy 127.0.0.1:1
	}
	handle {
		reverse_proxy {upstream}
	}
}
http://:{unguarded} {
	bind 127.0.0.1
	log {
		output file {dir}/access.log
		format {format}
	}
	respond 200
}
`

func startGateway(t *testing.T, format string, secrets secrets) *gateway {
	t.Helper()
	g := &gateway{folder: t.TempDir(), upstream: newUpstream(t), traces: newCollector(t), syslog: newSyslog(t)}
	g.address = testkit.FreeAddress(t)
	g.unguarded, g.keyed = testkit.FreeAddress(t), testkit.FreeAddress(t)
	_, port, _ := net.SplitHostPort(g.address)
	_, unguarded, _ := net.SplitHostPort(g.unguarded)
	_, keyed, _ := net.SplitHostPort(g.keyed)
	g.config, g.socket = filepath.Join(g.folder, "Caddyfile"), filepath.Join(g.folder, "admin.sock")
	text := strings.NewReplacer("{dir}", g.folder, "{format}", format, "{syslog}", g.syslog.address,
		"{upstream}", g.upstream.Listener.Addr().String(), "{port}", port, "{keyed}", keyed, "{unguarded}", unguarded).Replace(caddyfile)
	for name, content := range map[string]string{
		"Caddyfile": text, keyringFile: secrets.keyring(), upstreamFile: secrets.upstream.token,
	} {
		if err := os.WriteFile(filepath.Join(g.folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := gatewaytest.Command(t, []string{
		"CANARY=" + secrets.env.token,
		"XDG_CONFIG_HOME=" + filepath.Join(g.folder, "config"), "XDG_DATA_HOME=" + filepath.Join(g.folder, "data"),
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + g.traces.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_BSP_SCHEDULE_DELAY=100",
	}, "run", "--adapter", "caddyfile", "--config", g.config)
	g.process = gatewaytest.StartCommand(t, cmd)
	g.process.Listening(t, g.address, g.keyed, g.unguarded)
	return g
}

// secrets are the tokens that the gateway knows.
type secrets struct {
	valid, expired, revoked, future, env, upstream canary
	slashed, uuid                                  canary // valid, in forms that look like something else
}

func newSecrets() secrets {
	return secrets{
		valid: newCanary("valid"), expired: newCanary("expired"), revoked: newCanary("revoked"),
		future: newCanary("future"), env: newCanary("environment"), upstream: newCanary("upstream"),
		slashed: canary{"slashed", "cnry/Qb3kLm9x2/QweRt7YuPa5/iOp1As2Df3/Gh4Jk5Zx6+v"},
		uuid:    canary{"uuid", "c0ffee42-7a1b-4c9d-8e5f-6a2b3c4d5e6f"},
	}
}

func (s secrets) all() []canary {
	return []canary{s.valid, s.expired, s.revoked, s.future, s.env, s.upstream, s.slashed, s.uuid}
}

func (s secrets) keyring() string {
	line := func(c canary, rest string) string {
		return fmt.Sprintf("%s sha256:%x infer%s\n", c.name, sha256.Sum256([]byte(c.token)), rest)
	}
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	return line(s.valid, "") + line(s.expired, " expires=2020-01-01T00:00:00Z") +
		line(s.revoked, " state=revoked") + line(s.future, " not_before="+later) +
		line(s.slashed, "") + line(s.uuid, "") + "# end 6\n"
}

// exchangeLimit bounds one exchange.
const exchangeLimit = 5 * time.Second

// send writes bytes and reads the answer to its end.
func (g *gateway) send(t *testing.T, request string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", g.address, exchangeLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(exchangeLimit))
	_, _ = io.WriteString(conn, request) // may be refused before it is read
	var answer []byte
	chunk := make([]byte, 4<<10)
	for {
		n, err := conn.Read(chunk)
		answer = append(answer, chunk[:n]...)
		// A connection that the client did not ask to be closed stays open.
		if err != nil || n > 0 && !strings.Contains(request, "Connection: close") {
			return string(answer)
		}
	}
}

// admin sends GET to Caddy's admin endpoint.
func (g *gateway) admin(t *testing.T, path string) string {
	t.Helper()
	answer, err := testkit.SocketClient(g.socket).Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %s", path, answer.Status)
	}
	return fmt.Sprintf("%v\n%s", answer.Header, body)
}
