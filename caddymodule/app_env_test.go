package caddymodule

import (
	"context"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/authmin"
)

// provisionApp provisions the app alone, from its JSON or from none.
func provisionApp(t *testing.T, config string) (*App, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	app := new(App)
	if config != "" {
		if err := caddy.StrictUnmarshalJSON([]byte(config), app); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = app.Cleanup() })
	return app, app.Provision(ctx)
}

// Without a global block the environment is the configuration.
func TestEnvironmentIsTheConfiguration(t *testing.T) {
	t.Setenv(EnvToken, tokenInfer)
	t.Setenv(EnvOptional, "1")
	app, err := provisionApp(t, "")
	if err != nil {
		t.Fatal(err)
	}
	token, verdict := app.store.keyring().Lookup(digestOf(tokenInfer), time.Now())
	if verdict != authmin.VerdictValid || token.Name != authmin.NameDefault || len(token.Scopes) != len(authmin.AllScopes()) {
		t.Errorf("got %+v, verdict %d", token, verdict)
	}
	if !app.optional {
		t.Error("AUTH_OPTIONAL was not read")
	}
}

// A block is complete, an empty one too: the environment is ignored.
func TestBlockAddsNothingAmbient(t *testing.T) {
	t.Setenv(EnvToken, tokenAdmin)
	t.Setenv(EnvOptional, "true")
	t.Setenv(EnvTrustProxy, "true") // an error where it is read
	for _, config := range []string{`{}`, `{"tokens":[{"name":"ci","source":"{env.TEST_INFER}","scopes":["infer"]}]}`} {
		app, err := provisionApp(t, config)
		if err != nil {
			t.Fatalf("%s: %v", config, err)
		}
		if _, verdict := app.store.keyring().Lookup(digestOf(tokenAdmin), time.Now()); verdict != authmin.VerdictUnknown {
			t.Errorf("%s: the environment's token is valid", config)
		}
		if app.optional {
			t.Errorf("%s: the environment's bypass is on", config)
		}
	}
	site := ":8080 {\n\tauthmin {\n\t\tplaintext\n\t}\n}\n"
	expectRefused(t, validate(t, options(silent, "\tauthmin\n")+site), "no token is configured")
	t.Setenv(EnvTrustProxy, "")
	if err := validate(t, options(silent)+site); err != nil {
		t.Errorf("without a block: %v", err)
	}
}

func TestEnvironmentMistakes(t *testing.T) {
	file := t.TempDir() + "/token"
	writeFile(t, file, tokenInfer+"\n", 0o600)
	for name, c := range map[string]struct {
		env  map[string]string
		want string // "" for accepted
	}{
		"a file":                  {map[string]string{EnvToken + "_FILE": file}, ""},
		"the alias":               {map[string]string{EnvTokenAlias: tokenInfer}, ""},
		"the alias, equal":        {map[string]string{EnvToken: tokenInfer, EnvTokenAlias: tokenInfer}, ""},
		"the alias, different":    {map[string]string{EnvToken: tokenInfer, EnvTokenAlias: tokenAdmin}, "both set and differ"},
		"the alias, empty":        {map[string]string{EnvToken: tokenInfer, EnvTokenAlias: ""}, "AUTH_TOKEN"},
		"both":                    {map[string]string{EnvToken: tokenInfer, EnvToken + "_FILE": file}, "both set"},
		"empty":                   {map[string]string{EnvToken: ""}, "it is empty"},
		"white space":             {map[string]string{EnvToken: " \t "}, "it is empty"},
		"short":                   {map[string]string{EnvToken: "canary-plain"}, "12 characters are fewer than 32"},
		"no such file":            {map[string]string{EnvToken + "_FILE": file + "x"}, "LLORCH_API_TOKEN_FILE"},
		"a relative file":         {map[string]string{EnvToken + "_FILE": "token"}, "absolute"},
		"optional, misspelled":    {map[string]string{EnvToken: tokenInfer, EnvOptional: "yes"}, "AUTH_OPTIONAL"},
		"optional, other letters": {map[string]string{EnvToken: tokenInfer, EnvOptional: "tRue"}, "AUTH_OPTIONAL"},
		"optional, white space":   {map[string]string{EnvToken: tokenInfer, EnvOptional: " "}, "AUTH_OPTIONAL"},
		"optional, empty":         {map[string]string{EnvToken: tokenInfer, EnvOptional: ""}, ""},
		"trust_proxy":             {map[string]string{EnvToken: tokenInfer, EnvTrustProxy: "true"}, "trust_proxy CIDR"},
		"trust_proxy, misspelled": {map[string]string{EnvToken: tokenInfer, EnvTrustProxy: "on"}, "TRUST_PROXY_AUTH"},
		"trust_proxy, off":        {map[string]string{EnvToken: tokenInfer, EnvTrustProxy: "0"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range c.env {
				t.Setenv(key, value)
			}
			err := validate(t, options(silent)+":8080 {\n\tauthmin {\n\t\tplaintext\n\t}\n}\n")
			if c.want != "" {
				expectRefused(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
