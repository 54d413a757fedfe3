package integration_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// TestIdentityIsTheTokens: who asks is who holds the token, whatever the
// request says of it. Alice and Bob share a gateway by way of its keyring.
func TestIdentityIsTheTokens(t *testing.T) {
	alice, bob, scraper := strings.Repeat("alice-", 6), strings.Repeat("bob---", 6), strings.Repeat("scrape", 6)
	dir := t.TempDir()
	writeKeyring(t, dir, map[string]string{
		"alice infer": alice, "bob infer": bob, "scraper metrics": scraper,
	})
	u := gatewaytest.StartUpIn(t, dir, nil)
	forged := []string{"X-Auth-Identity: bob", "X-Auth-Scopes: admin", "X_Auth_Identity: bob"}

	id, err := submit(u.As(alice), 8, forged...)
	if err != nil {
		t.Fatal(err)
	}
	path := "/v2/tasks/" + id
	expect := func(who, token, method, path string, want int, headers ...string) {
		t.Helper()
		res, err := u.As(token).Do(method, path, "", headers...)
		if err != nil {
			t.Fatal(err)
		}
		if res.Status != want {
			t.Errorf("%s: %s %s %q: %d, want %d: %s", who, method, path, headers, res.Status, want, res.Body)
		}
	}
	expect("alice", alice, "GET", path, http.StatusOK)
	expect("bob", bob, "GET", path, http.StatusNotFound)
	expect("bob", bob, "GET", path, http.StatusNotFound, "X-Auth-Identity: alice", "X-Auth-Scopes: admin")
	expect("bob", bob, "GET", path, http.StatusNotFound, "Connection: X-Auth-Identity")
	expect("bob", bob, "POST", path+"/cancel", http.StatusNotFound, "X-Auth-Identity: alice")

	// A scope is the token's, too.
	expect("alice", alice, "GET", "/v2/nodes", http.StatusForbidden, forged...)
	expect("alice", alice, "POST", "/v2/nodes/register", http.StatusForbidden, forged...)
	expect("alice", alice, "GET", "/pools", http.StatusForbidden, forged...)
	expect("alice", alice, "GET", "/metrics", http.StatusForbidden)
	expect("scraper", scraper, "GET", "/metrics", http.StatusOK)
	expect("scraper", scraper, "GET", path, http.StatusForbidden)
}

// writeKeyring writes the keyring of up's data directory; keys are the name
// and scopes of a line.
func writeKeyring(t *testing.T, dir string, tokens map[string]string) {
	t.Helper()
	var text strings.Builder
	for line, token := range tokens {
		name, scopes, _ := strings.Cut(line, " ")
		fmt.Fprintf(&text, "%s sha256:%x %s\n", name, sha256.Sum256([]byte(token)), scopes)
	}
	fmt.Fprintf(&text, "# end %d\n", len(tokens))
	if err := os.WriteFile(filepath.Join(dir, "tokens"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
