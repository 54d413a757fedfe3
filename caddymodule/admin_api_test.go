package caddymodule

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// admin sends a request to the admin endpoint that is at host by a client.
func admin(t *testing.T, client *http.Client, host, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	expectNoToken(t, string(text))
	return answer.StatusCode, string(text)
}

// serveAdmin is start with an admin endpoint, which other tests have none of.
func (g *gateway) serveAdmin(t *testing.T, listen string, ring keyring, option string) {
	t.Helper()
	g.admin = listen
	g.start(t, false, "\tauthmin {\n\t\ttoken_file "+ring.path+"\n\t\ttoken boss {env.TEST_ADMIN} admin\n\t\tlockout 1 1m 5m\n\t\t"+option+"\n\t}\n",
		"\tauthmin {\n\t\trequire infer /v1/*\n\t}\n\trespond ok\n")
}

func TestTheAdminAPIListsAndRevokes(t *testing.T) {
	ring := newKeyring(t, keyringLine("ci", tokenInfer, "infer"), keyringLine("ci", tokenUpstream, "infer expires=2099-01-01T00:00:00Z"))
	socket := filepath.Join(t.TempDir(), "admin.sock")
	g := &gateway{}
	g.serveAdmin(t, "unix/"+socket+"|0600", ring, "")
	t.Cleanup(forgetLockouts(t))
	ask := func(method, path, body string) (int, string) {
		return admin(t, testkit.SocketClient(socket), "localhost", method, path, body)
	}

	fp6 := authmin.NewSecret(tokenInfer).Fingerprint()
	if status, body := ask("GET", "/authmin/tokens?name=ci", ""); status != 200 || !strings.Contains(body, fp6) || strings.Contains(body, "boss") {
		t.Errorf("the tokens of a name: %d %s", status, body)
	}
	g.ask(t, plainClient(), "GET", "/v1/x", "Authorization: Bearer guess-0123456789abcdefghijklmnopqrstuvwxyz")
	if status, body := ask("GET", "/authmin/lockouts", ""); status != 200 || !strings.Contains(body, `"client":"127.0.0.1"`) {
		t.Errorf("the lockouts: %d %s", status, body)
	}
	for body, want := range map[string]int{
		`{"name":"ci","fp6":"` + fp6 + `"}`: 200, `{"name":"nobody"}`: 404, `{"name":"boss"}`: 404,
		`{"name":"../x"}`: 400, `{"nam":"ci"}`: 400, "": 400, strings.Repeat("[", maxRevokeBody+1): 400,
	} {
		if status, answer := ask("POST", "/authmin/tokens/revoke", body); status != want {
			t.Errorf("revoking %.40s: got %d %s, want %d", body, status, answer, want)
		}
	}
	for token, want := range map[string]int{tokenInfer: 429, tokenUpstream: 200} { // 429: the client is locked out since the guess
		if answer, _ := g.ask(t, plainClient(), "GET", "/v1/x", "Authorization: Bearer "+token); answer.StatusCode != want {
			t.Errorf("after the revocation of one: got %d, want %d", answer.StatusCode, want)
		}
	}
	if status, _ := ask("GET", "/authmin/tokens/revoke", ""); status != 405 {
		t.Errorf("GET of the revocation: got %d, want 405", status)
	}
}

func TestTheAdminAPIIsOffAndOnUnixSocketsOnly(t *testing.T) {
	ring := newKeyring(t, keyringLine("ci", tokenInfer, "infer"))
	for _, path := range []string{"/authmin/tokens", "/authmin/lockouts"} {
		t.Run("off"+path, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "admin.sock")
			(&gateway{}).serveAdmin(t, "unix/"+socket, ring, "admin_api off")
			if status, body := admin(t, testkit.SocketClient(socket), "localhost", "GET", path, ""); status != 404 {
				t.Errorf("with admin_api off: %d %s", status, body)
			}
		})
		t.Run("tcp"+path, func(t *testing.T) {
			address := testkit.FreeAddress(t)
			(&gateway{}).serveAdmin(t, address, ring, "admin_api")
			if status, body := admin(t, plainClient(), address, "GET", path, ""); status != 403 {
				t.Errorf("over TCP: %d %s", status, body)
			}
		})
	}
}
