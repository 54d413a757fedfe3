package houserules_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// lan is the gateway of first-hour.md: its own authority, and a key.
type lan struct {
	base  string
	roots *x509.CertPool
	token string
}

// runLAN starts the policy of the page under a name of this machine, and finds the
// authority's certificate where the page says.
func (r *readme) runLAN(t *testing.T) {
	ollama := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
	t.Cleanup(ollama.Close)
	address := testkit.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	r.lan.base = "https://localhost:" + port
	upstream := ollama.Listener.Addr().String()
	dir := r.asShown(t, "https://llm.lan {", r.lan.base+" {\n\tbind 127.0.0.1", "127.0.0.1:11434", upstream,
		"skip_install_trust", "skip_install_trust\n\tauto_https disable_redirects",
		"admin unix//run/llorch/admin.sock|0600", "admin off")
	token, err := gatewaytest.Command(t, nil, "authmin", "token", "new", "alice", "infer", "--file", filepath.Join(dir, "tokens")).Output()
	if err != nil {
		t.Fatal(err)
	}
	r.lan.token = strings.TrimSpace(string(token))
	cmd := gatewaytest.Command(t, []string{"XDG_DATA_HOME=" + dir}, "run", "--config", "Caddyfile")
	cmd.Dir = dir
	gatewaytest.StartCommand(t, cmd).Listening(t, address)
	testkit.Within(t, 30*time.Second, "the authority's certificate", func() error {
		pem, err := os.ReadFile(filepath.Join(dir, "caddy/pki/authorities/local/root.crt"))
		if r.lan.roots = x509.NewCertPool(); err == nil && !r.lan.roots.AppendCertsFromPEM(pem) {
			err = fmt.Errorf("no certificate in %q", pem)
		}
		if err == nil {
			_, err = r.lan.get("", "/v1/models")
		}
		return err
	})
	for path, want := range map[string]int{"/v1/models": http.StatusOK, "/api/none": http.StatusForbidden, "/api/pull": http.StatusForbidden} {
		for token, status := range map[string]int{"": http.StatusUnauthorized, r.lan.token: want} {
			if got, err := r.lan.get(token, path); err != nil || got != status {
				t.Errorf("GET %s: %d, %v, want %d", path, got, err, status)
			}
		}
	}
	r.lan.asColleague(t)
}

// makesDirectories makes in a folder of this test the two that the policy after it uses.
func (r *readme) makesDirectories(t *testing.T, b block) {
	dir := t.TempDir()
	line := strings.NewReplacer("/etc/llorch", dir+"/etc/llorch", "/run/llorch", dir+"/run/llorch").Replace(b.text)
	if out, err := gatewaytest.Script(t, nil, strings.TrimSpace(line)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"/etc/llorch", "/run/llorch"} {
		if info, err := os.Stat(dir + name); err != nil || info.Mode().Perm() != 0o750 {
			t.Errorf("%s: %v, %v, want a directory of mode 0750", name, info, err)
		}
	}
}

// asColleague is what the next command of the page does, while the gateway runs.
func (l *lan) asColleague(t *testing.T) {
	t.Helper()
	if got, err := l.get(l.token, "/v1/models"); err != nil || got != http.StatusOK {
		t.Errorf("with the authority's certificate and a key: %d, %v", got, err)
	}
	other := lan{base: l.base, roots: x509.NewCertPool()}
	if _, err := other.get(l.token, "/v1/models"); err == nil {
		t.Error("a client without the authority's certificate was answered")
	}
}

// get asks as a client that trusts the authority alone.
func (l *lan) get(token, path string) (int, error) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: l.roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	request, err := http.NewRequest("GET", l.base+path, nil)
	if err != nil {
		return 0, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// colleague: runLAN has made this request, while the gateway ran.
func (r *readme) colleague(t *testing.T, b block) {
	if !strings.Contains(b.text, `-H "Authorization: Bearer $LLORCH_API_TOKEN" https://llm.lan/v1/models`) || r.lan.token == "" {
		t.Errorf("%q is not what runLAN asks", b.text)
	}
}
