package cli

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // what a real gateway has
	"github.com/llorch/gateway/caddymodule"
	"github.com/rogpeppe/go-internal/testscript"
)

// The tokens of these tests. Whatever prints one of them leaks.
const (
	tokenInfer    = "canary-infer-0123456789abcdefghijklmnop"
	tokenAdmin    = "canary-admin-0123456789abcdefghijklmnop"
	tokenUpstream = "canary-upstream-0123456789abcdefghijklm"
)

// commands are what a script can run by name: the real command line, in a process
// of its own.
var commands = map[string]func(){"llorch": caddycmd.Main}

// TestMain runs the tests or, under the name of a command that a script of testdata
// runs, that command.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, commands)
}

type tests struct{ *testing.M }

// Run implements [testscript.TestingM]. It keeps what Caddy stores away from the
// user's home, and the user's settings away from the tests.
func (t tests) Run() int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "cli")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		os.Setenv(name, dir)
	}
	for _, name := range []string{caddymodule.EnvToken, caddymodule.EnvToken + "_FILE", caddymodule.EnvTokenAlias, caddymodule.EnvTokenAlias + "_FILE",
		caddymodule.EnvOptional, caddymodule.EnvTrustProxy} {
		os.Unsetenv(name)
	}
	os.Setenv("TEST_INFER", tokenInfer)
	os.Setenv("TEST_ADMIN", tokenAdmin)
	os.Setenv("TEST_UPSTREAM", tokenUpstream)
	return t.M.Run()
}

// quiet are the global options of every test configuration: no admin endpoint,
// nothing stored, and no log but where the test wants one.
const quiet = "\tadmin off\n\tpersist_config off\n\tauto_https disable_redirects\n\tskip_install_trust\n\tlocal_certs\n"

// silent sends Caddy's own log nowhere.
const silent = "\tlog {\n\t\toutput discard\n\t}\n"

// twoTokens are the tokens that most tests need.
const twoTokens = "\tauthmin {\n\t\ttoken infer-user {env.TEST_INFER} infer\n\t\ttoken boss {env.TEST_ADMIN} admin\n\t}\n"

// adapted turns a Caddyfile into Caddy's configuration.
func adapted(t *testing.T, caddyfile string) *caddy.Config {
	t.Helper()
	raw, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatalf("adapting:\n%s\n%v", caddyfile, err)
	}
	config := new(caddy.Config)
	if err := json.Unmarshal(raw, config); err != nil {
		t.Fatal(err)
	}
	return config
}

// validate does what `caddy validate` does, and opens no port.
func validate(t *testing.T, caddyfile string) error {
	t.Helper()
	return caddy.Validate(adapted(t, caddyfile))
}

// expectRefused checks that a configuration is refused with all of these words,
// and that the message shows no token.
func expectRefused(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want a refusal with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %q, want it to say %q", err, word)
		}
	}
	expectNoToken(t, err.Error())
}

// expectNoToken searches text for any token of these tests.
func expectNoToken(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"canary-infer", "canary-admin", "canary-upstream", "canary-plain", "canary-chain"} {
		if strings.Contains(text, secret) {
			t.Errorf("a token (%s…) is in %q", secret, text)
		}
	}
}

func writeFile(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
