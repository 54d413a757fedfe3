package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // what a real gateway has
	"github.com/llorch/gateway/authmin"
)

// The tokens of these tests. Whatever prints one of them leaks.
const (
	tokenInfer    = "canary-infer-0123456789abcdefghijklmnop"
	tokenAdmin    = "canary-admin-0123456789abcdefghijklmnop"
	tokenUpstream = "canary-upstream-0123456789abcdefghijklm"
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runTests(m))
}

// runTests keeps Caddy's files out of the user's home, and the settings of the user's
// environment out of the tests.
func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "caddymodule")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		os.Setenv(name, dir)
	}
	for _, name := range []string{EnvToken, EnvToken + "_FILE", EnvTokenAlias, EnvTokenAlias + "_FILE", EnvOptional, EnvTrustProxy} {
		os.Unsetenv(name)
	}
	os.Setenv("TEST_INFER", tokenInfer)
	os.Setenv("TEST_ADMIN", tokenAdmin)
	os.Setenv("TEST_UPSTREAM", tokenUpstream)
	return m.Run()
}

// adapt turns a Caddyfile into Caddy's configuration.
func adapt(name, caddyfile string) ([]byte, error) {
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": name})
	if err == nil && len(warnings) > 0 && warnings[0].Directive != "" {
		panic("adapter warns: " + warnings[0].String())
	}
	return config, err
}

// validate does what `caddy validate` does, and opens no port.
func validate(t *testing.T, caddyfile string) error {
	t.Helper()
	return validateJSON(t, mustAdapt(t, caddyfile))
}

func mustAdapt(t *testing.T, caddyfile string) []byte {
	t.Helper()
	config, err := adapt("Caddyfile", caddyfile)
	if err != nil {
		t.Fatalf("adapting:\n%s\n%v", caddyfile, err)
	}
	return config
}

func validateJSON(t *testing.T, config []byte) error {
	t.Helper()
	var parsed caddy.Config
	if err := caddy.StrictUnmarshalJSON(config, &parsed); err != nil {
		t.Fatal(err)
	}
	return caddy.Validate(&parsed)
}

// quiet are the global options of every test configuration: no admin endpoint,
// nothing stored, and no log but where the test wants one.
const quiet = "\tadmin off\n\tpersist_config off\n\tauto_https disable_redirects\n\tskip_install_trust\n\tlocal_certs\n"

// silent sends Caddy's own log nowhere.
const silent = "\tlog {\n\t\toutput discard\n\t}\n"

// twoTokens are the tokens that most tests need.
const twoTokens = "\tauthmin {\n\t\ttoken infer-user {env.TEST_INFER} infer\n\t\ttoken boss {env.TEST_ADMIN} admin\n\t}\n"

func options(parts ...string) string {
	return "{\n" + quiet + strings.Join(parts, "") + "}\n"
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
	for _, secret := range []string{"canary-infer", "canary-admin", "canary-upstream", "canary-plain"} {
		if strings.Contains(text, secret) {
			t.Errorf("a token (%s…) is in %q", secret, text)
		}
	}
}

func indent(t *testing.T, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

// writeKeyring puts a keyring file in place by rename, as an operator should.
func writeKeyring(t *testing.T, path string, lines ...string) {
	t.Helper()
	writeFile(t, path+".new", keyringText(lines...), 0o600)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
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

func digestOf(text string) authmin.Digest { return authmin.NewSecret(text).Digest() }
