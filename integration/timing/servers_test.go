package timing_test

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
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

// keys is the number of tokens in the keyring.
const keys = 10_000

// tokenOf is the token at one place of the keyring. All have most of their
// bytes in common, which is the worst case for a comparison that ends early.
func tokenOf(i int) string { return fmt.Sprintf("llorch-timing-0123456789abcdef0123456789-%05d", i) }

const (
	tokenExpired = "llorch-timing-0123456789abcdef0123456789-expir"
	tokenRevoked = "llorch-timing-0123456789abcdef0123456789-revok"
)

func keyringText() string {
	var b strings.Builder
	for i := range keys {
		fmt.Fprintf(&b, "k%d sha256:%x infer\n", i, sha256.Sum256([]byte(tokenOf(i))))
	}
	fmt.Fprintf(&b, "old sha256:%x infer expires=2020-01-01T00:00:00Z\n", sha256.Sum256([]byte(tokenExpired)))
	fmt.Fprintf(&b, "gone sha256:%x infer state=revoked\n# end %d\n", sha256.Sum256([]byte(tokenRevoked)), keys+2)
	return b.String()
}

// startGateway answers by itself, so that no upstream adds noise. HTTP/2 keeps
// the connection after a refusal; HTTP/1.1 does not.
func startGateway(t *testing.T) *client {
	t.Helper()
	folder := t.TempDir()
	_, port, _ := net.SplitHostPort(testkit.FreeAddress(t))
	config := fmt.Sprintf(`{
	admin off
	local_certs
	skip_install_trust
	auto_https disable_redirects
	storage file_system %[1]s/storage
	log {
		output file %[1]s/log
	}
	authmin {
		token_file %[1]s/tokens
		lockout off
		audit file %[1]s/audit
	}
}
https://localhost:%[2]s {
	bind 127.0.0.1
	tls internal
	authmin {
		require infer /v1/*
	}
	respond fine
}
`, folder, port)
	for name, content := range map[string]string{"Caddyfile": config, "tokens": keyringText()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := gatewaytest.Start(t, nil, "run", "--adapter", "caddyfile", "--config", filepath.Join(folder, "Caddyfile"))
	p.Listening(t, "127.0.0.1:"+port)
	c := newClient(t, "https://localhost:"+port+"/v1/x")
	testkit.Within(t, 30*time.Second, "the first key", func() error {
		status, _, err := c.ask(tokenOf(0))
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
	return c
}

// startEarlyExit is what the gateway must not be: a server that looks for the
// token in a list, byte by byte, and ends at the first difference and the first
// match.
func startEarlyExit(t *testing.T) *client {
	t.Helper()
	var ring []string
	for i := range keys {
		ring = append(ring, tokenOf(i))
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		for _, key := range ring {
			if equalEarly(key, token) {
				_, _ = io.WriteString(w, "fine")
				return
			}
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return newClient(t, s.URL+"/v1/x")
}

func equalEarly(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A client asks over one connection that is kept.
type client struct {
	url string
	c   *http.Client
}

func newClient(t *testing.T, url string) *client {
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{url, &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

func (c *client) ask(token string) (status int, took time.Duration, err error) {
	r, err := http.NewRequest("GET", c.url, nil)
	if err != nil {
		return 0, 0, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	begun := time.Now()
	answer, err := c.c.Do(r)
	if err != nil {
		return 0, 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	took = time.Since(begun)
	if answer.ProtoMajor != 2 {
		return 0, 0, fmt.Errorf("answered in %s, want HTTP/2", answer.Proto)
	}
	return answer.StatusCode, took, err
}
