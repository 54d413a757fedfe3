package attacks_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// accepts is a listener of this machine only: without a token it may start.
func accepts(bind string) func(*testing.T) {
	return func(t *testing.T) {
		s := onLoopback
		s.bind = bind
		config, port := s.write(t, startEcho(t).address())
		if out, ok := runToEnd(t, gatewaytest.Command(t, nil, "validate", "--adapter", "caddyfile", "--config", config)); !ok {
			t.Fatalf("validate refuses %q: %s", bind, out)
		}
		p := gatewaytest.Start(t, nil, "run", "--adapter", "caddyfile", "--config", config)
		if strings.Contains(bind, "unix/") {
			testkit.Within(t, waitForStart, "the socket", func() error { return socketIn(config) })
			return
		}
		host := strings.TrimPrefix(bind, "bind ")
		address := net.JoinHostPort(host, port)
		p.Listening(t, address)
		mustAnswer(t, 200, address, "GET", "/health")
	}
}

// socketIn connects to the Unix socket that a Caddyfile binds.
func socketIn(config string) error {
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	_, path, _ := strings.Cut(string(text), "bind unix/")
	path, _, _ = strings.Cut(path, "\n")
	conn, err := net.Dial("unix", filepath.Clean(path))
	if err != nil {
		return err
	}
	return conn.Close()
}

// refuses is any other listener: without a token it must not start, and says
// why and what to do. plaintext is given, so that the token is the only reason.
func refuses(bind string, env ...string) func(*testing.T) {
	return func(t *testing.T) {
		s := onLoopback
		s.bind, s.guard = bind, "plaintext"
		config, port := s.write(t, "127.0.0.1:1")
		for _, command := range []string{"validate", "run"} {
			out, ok := runToEnd(t, gatewaytest.Command(t, env, command, "--adapter", "caddyfile", "--config", config))
			if ok {
				t.Errorf("%s accepts %q", command, bind)
			}
			where := port
			if strings.Contains(bind, "fd/") {
				where = "fd/3"
			}
			for _, word := range []string{"startup_bind_refused", "NON_LOOPBACK_WITHOUT_TOKEN", where} {
				if !strings.Contains(out, word) {
					t.Errorf("%s %q: the refusal does not say %s:\n%s", command, bind, word, out)
				}
			}
		}
	}
}

func reloadToExposedKeepsTheOld(t *testing.T) {
	upstream := startEcho(t)
	socket := filepath.Join(t.TempDir(), "admin.sock")
	s := onLoopback
	s.global = "admin unix/" + socket
	address, _ := s.start(t, upstream.address())
	mustAnswer(t, 200, address, "GET", "/v1/models")
	s.bind, s.guard = "bind 0.0.0.0", "plaintext"
	_, port, _ := net.SplitHostPort(address)
	reload := gatewaytest.Command(t, nil, "reload", "--adapter", "caddyfile",
		"--config", s.writeOn(t, upstream.address(), port), "--address", "unix/"+socket)
	if out, ok := runToEnd(t, reload); ok || !strings.Contains(out, "NON_LOOPBACK_WITHOUT_TOKEN") {
		t.Errorf("the reload went through (%v), or did not say why not:\n%s", ok, out)
	}
	mustAnswer(t, 200, address, "GET", "/v1/models")
}

func optionalMeans(value string, status int) func(*testing.T) {
	return func(t *testing.T) {
		s := onLoopback
		s.authmin = "token ci {env.TOKEN} infer\noptional {env.AUTH_OPTIONAL}"
		address, _ := s.start(t, startEcho(t).address(), "TOKEN="+tokenOK, "AUTH_OPTIONAL="+value)
		mustAnswer(t, status, address, "GET", "/v1/models")
		mustAnswer(t, 200, address, "GET", "/v1/models", bearer(tokenOK))
	}
}

func optionalIsRefused(value string) func(*testing.T) {
	return func(t *testing.T) {
		s := onLoopback
		s.authmin = "token ci {env.TOKEN} infer\noptional {env.AUTH_OPTIONAL}"
		mustRefuse(t, s, []string{"optional"}, "TOKEN="+tokenOK, "AUTH_OPTIONAL="+value)
		// Without a block the variable is read by itself, and as strictly.
		config := strings.Replace(mustRead(t, s), "authmin {\n"+s.authmin+"\n}", "", 1)
		cmd := gatewaytest.Command(t, []string{"LLORCH_API_TOKEN=" + tokenOK, "AUTH_OPTIONAL=" + value},
			"validate", "--adapter", "caddyfile", "--config", writeFile(t, "Caddyfile", config))
		if out, ok := runToEnd(t, cmd); ok || !strings.Contains(out, "AUTH_OPTIONAL") {
			t.Errorf("accepted (%v), or AUTH_OPTIONAL not named:\n%s", ok, out)
		}
	}
}

func mustRead(t *testing.T, s site) string {
	t.Helper()
	config, _ := s.write(t, "127.0.0.1:1")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A listener on every address is not a loopback listener, even for a local peer.
func noBypassOnExposedListener(t *testing.T) {
	s := site{authmin: "token ci {env.TOKEN} infer\noptional true", bind: "bind 0.0.0.0", guard: "plaintext"}
	address, _ := s.start(t, startEcho(t).address(), "TOKEN="+tokenOK)
	_, port, _ := net.SplitHostPort(address)
	_, own := pubHosts(t)
	for _, to := range []string{address, net.JoinHostPort(own, port)} {
		mustAnswer(t, 401, to, "GET", "/v1/models")
		mustAnswer(t, 401, to, "GET", "/v1/models", "Host: localhost:"+port)
		mustAnswer(t, 200, to, "GET", "/v1/models", bearer(tokenOK))
	}
}

func mappedPeerIsNoLoopbackListener(t *testing.T) {
	upstream := startEcho(t)
	t.Run("dual stack", func(t *testing.T) {
		s := site{authmin: "token ci {env.TOKEN} infer\noptional true", bind: "bind ::", guard: "plaintext"}
		address, _ := s.start(t, upstream.address(), "TOKEN="+tokenOK)
		_, port, _ := net.SplitHostPort(address)
		_, own := pubHosts(t)
		for _, to := range []string{address, net.JoinHostPort(own, port), "[::1]:" + port} {
			mustAnswer(t, 401, to, "GET", "/v1/models", "Host: 127.0.0.1:"+port)
		}
	})
	t.Run("loopback", func(t *testing.T) {
		address, _ := onLoopback.start(t, upstream.address())
		_, port, _ := net.SplitHostPort(address)
		mustAnswer(t, 200, "[::ffff:127.0.0.1]:"+port, "GET", "/v1/models", "Host: 127.0.0.1:"+port)
	})
}
