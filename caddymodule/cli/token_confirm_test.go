package cli

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// keyringText is a keyring file of tokens with scope infer.
func keyringText(tokens map[string]string) string {
	var b strings.Builder
	for name, token := range tokens {
		fmt.Fprintf(&b, "%s sha256:%s infer\n", name, authmin.NewSecret(token).Digest().Hex())
	}
	fmt.Fprintf(&b, "# end %d\n", len(tokens))
	return b.String()
}

// A client that is locked out, because it was too early with its new token or for
// any other reason, is let in with the token as soon as the command that made it
// has returned.
func TestAValidTokenIsAcceptedFromALockedOutAddress(t *testing.T) {
	dir := t.TempDir()
	ring, socket, address := filepath.Join(dir, "tokens"), filepath.Join(dir, "admin.sock"), testkit.FreeAddress(t)
	writeFile(t, ring, keyringText(map[string]string{"other": tokenUpstream}), 0o600)
	_, port, _ := strings.Cut(address, ":")
	config := strings.Replace(quiet, "admin off", "admin unix/"+socket+"|0600", 1) + silent +
		"\tauthmin {\n\t\ttoken_file " + ring + "\n\t\tlockout 1 1m 5m\n\t}\n"
	if err := caddy.Run(adapted(t, "{\n"+config+"}\nhttp://:"+port+" {\n\tbind 127.0.0.1\n\tauthmin {\n\t\trequire infer /v1/*\n\t}\n\trespond ok\n}\n")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	ask := func() (status int, body string) {
		r, err := http.NewRequest(http.MethodGet, "http://"+address+"/v1/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+tokenInfer)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var text strings.Builder
		if err := answer.Write(&text); err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, text.String()
	}
	for range 3 {
		ask()
	}
	if status, body := ask(); status != http.StatusTooManyRequests || !strings.Contains(body, "A valid token is accepted at any time") {
		t.Fatalf("before: got %d %s", status, body)
	}
	writeFile(t, ring, keyringText(map[string]string{"other": tokenUpstream, "ci": tokenInfer}), 0o600)
	k, said := keyringFlags{admin: "unix/" + socket}, new(strings.Builder)
	told, err := k.ask(said, socket, "unix/"+socket, ring, "ci", nil)
	if !told || err != nil || !strings.Contains(said.String(), "has the change") {
		t.Fatalf("confirmation without an option: got %v, %v, %s", told, err, said)
	}
	if status, _ := ask(); status != http.StatusOK {
		t.Errorf("after the confirmation: got %d, want 200", status)
	}
}

// A change that no gateway confirms comes with how one could be asked.
func TestAnUnconfirmedChangeSaysHowAGatewayIsAsked(t *testing.T) {
	ring := filepath.Join(t.TempDir(), "tokens")
	writeFile(t, ring, keyringText(nil), 0o600)
	for _, c := range []struct{ socket, address, want string }{
		{"", "localhost:2019", "its admin endpoint is localhost:2019; it has one with `admin " + defaultAdminSocket + "|0600`"},
		{"", "off", "its admin endpoint is off; it has one with"},
		{ring + ".none", "unix/" + ring + ".none", "name its socket with --admin"},
	} {
		var messages strings.Builder
		answered, err := new(keyringFlags).ask(&messages, c.socket, c.address, ring, "ci", nil)
		if answered || err != nil || !strings.Contains(messages.String(), c.want) {
			t.Errorf("%s: answered %v, %v, %q, want %q in it", c.address, answered, err, messages.String(), c.want)
		}
	}
}
