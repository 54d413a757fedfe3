package attacks_test

import (
	"bytes"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// withAdmin is a guarded site with the admin endpoint on, at a TCP address.
func withAdmin(t *testing.T, upstream string) (address, admin string, p *gatewaytest.Process) {
	t.Helper()
	admin = testkit.FreeAddress(t)
	s := onLoopback
	s.global, s.authmin = "admin "+admin, "token ci {env.TOKEN} infer"
	address, p = s.start(t, upstream, "TOKEN="+tokenOK)
	p.Listening(t, admin)
	return address, admin, p
}

func adminRefusesForeignHost(t *testing.T) {
	_, admin, _ := withAdmin(t, startEcho(t).address())
	_, port, _ := net.SplitHostPort(admin)
	mustAnswer(t, 403, admin, "GET", "/config/", "Host: evil.example:"+port)
	mustAnswer(t, 200, admin, "GET", "/config/", "Host: "+admin)
}

// The corpus says 403; Caddy, whose endpoint it is, refuses with 400.
func adminRefusesNoCors(t *testing.T) {
	_, admin, _ := withAdmin(t, startEcho(t).address())
	mustAnswer(t, 400, admin, "POST", "/load", "Host: "+admin, "Sec-Fetch-Mode: no-cors", "Content-Length: 0")
}

// The gateway's listener never leads to the admin endpoint.
func adminIsNotProxied(t *testing.T) {
	upstream := startEcho(t)
	address, admin, _ := withAdmin(t, upstream.address())
	for _, r := range []response{
		ask(t, address, "GET", "/config/", "Host: "+admin, bearer(tokenOK)),
		ask(t, address, "GET", "http://"+admin+"/config/", "Host: "+admin, bearer(tokenOK)),
		ask(t, address, "GET", "http://"+admin+"/v1/models", "Host: "+admin, bearer(tokenOK)),
	} {
		if r.status == 200 && r.header["x-echo"] == nil {
			t.Errorf("something else than the upstream answered: %q", r.body)
		}
		if bytes.Contains(r.body, []byte(`"apps"`)) {
			t.Errorf("the configuration leaves by the gateway: %q", r.body)
		}
	}
}

// Every way to read the configuration shows where a token is, not what it is.
func adminConfigHoldsNoToken(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	file := writeFile(t, "token", tokenAdmin+"\n")
	s := onLoopback
	s.global = "admin unix/" + socket
	s.authmin = "token ci {env.TOKEN} infer\ntoken ops {file." + file + "} admin"
	_, p := s.start(t, startEcho(t).address(), "TOKEN="+tokenOK)
	res, err := testkit.SocketClient(socket).Get("http://localhost/config/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	config, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(config, []byte("authmin")) {
		t.Fatalf("no configuration: %s", config)
	}
	holdsNoToken(t, "the configuration", string(config))
	holdsNoToken(t, "the log", p.Output())
}

// holdsNoToken fails when a text holds a fixture's token or half of one.
func holdsNoToken(t *testing.T, what, text string) {
	t.Helper()
	for name, token := range fixtureTokens {
		if half := token[len(token)/2:]; strings.Contains(text, half) {
			t.Errorf("%s holds half of %s or more", what, name)
		}
	}
}

func autosaveHoldsNoToken(t *testing.T) {
	upstream := startEcho(t)
	s := onLoopback
	s.global = "admin unix/" + filepath.Join(t.TempDir(), "admin.sock")
	s.authmin = "token ci {env.TOKEN} infer"
	config, port := s.write(t, upstream.address())
	cmd := gatewaytest.Command(t, []string{"TOKEN=" + tokenOK}, "run", "--adapter", "caddyfile", "--config", config)
	home := cmd.Dir
	p := gatewaytest.StartCommand(t, cmd)
	address := net.JoinHostPort("127.0.0.1", port)
	p.Listening(t, address)
	mustAnswer(t, 200, address, "GET", "/v1/models", bearer(tokenOK))
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	saved := 0
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if d.Name() == "autosave.json" {
			saved++
		}
		holdsNoToken(t, path, string(content))
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if saved != 1 {
		t.Errorf("%d saved configurations, want one to look at", saved)
	}
}
