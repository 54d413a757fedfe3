package presets_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // what a real gateway has
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
	_ "github.com/llorch/gateway/caddymodule/page" // its directive
)

// upstreamSource is the second argument of the presets that take one.
const upstreamSource = "{env.LLORCH_UPSTREAM_TOKEN}"

// site is a Caddyfile as a user writes it: the import on top, then a site. The
// body is what the import has in braces, with them.
func site(t *testing.T, preset, snippet, body string) string {
	t.Helper()
	args := ""
	switch snippet {
	case "authmin-gateway-metrics":
	case "authmin-orchestrator", "authmin-poolmanager":
		args = " 127.0.0.1:9999 " + upstreamSource
	default:
		args = " 127.0.0.1:9999"
	}
	return fmt.Sprintf("import %s\n\nhttp://127.0.0.1:8080 {\n\tbind 127.0.0.1\n\timport %s%s %s\n}\n",
		inRoot(t, "deploy/presets/"+preset+".caddyfile"), snippet, args, body)
}

// handlers are the modules of an adapted Caddyfile, by the name of the handler.
type handlers map[string][]json.RawMessage

// adapt adapts a Caddyfile; a warning is an error.
func adapt(t *testing.T, text string) (handlers, error) {
	t.Helper()
	formatted := caddyfile.Format([]byte(text))
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(formatted, map[string]any{
		"filename": filepath.Join(t.TempDir(), "Caddyfile"),
	})
	if err != nil {
		return nil, err
	}
	if len(warnings) > 0 {
		return nil, fmt.Errorf("warnings: %v", warnings)
	}
	found := handlers{}
	return found, found.collect(config)
}

// collect walks the whole configuration, wherever a handler may be nested.
func (h handlers) collect(raw json.RawMessage) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) == nil {
		var name string
		if json.Unmarshal(members["handler"], &name) == nil {
			h[name] = append(h[name], raw)
		}
		for _, member := range members {
			if err := h.collect(member); err != nil {
				return err
			}
		}
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		for _, item := range list {
			if err := h.collect(item); err != nil {
				return err
			}
		}
	}
	if !json.Valid(raw) {
		return fmt.Errorf("not JSON: %.80s", raw)
	}
	return nil
}

// guard is the one guard of an adapted Caddyfile but for that of a page, without the
// field that only names the module.
func (h handlers) guard() (*caddymodule.Guard, error) {
	var guards []*caddymodule.Guard
	for _, raw := range h["authmin"] {
		g := new(caddymodule.Guard)
		if err := json.Unmarshal(raw, g); err != nil {
			return nil, err
		}
		if !g.TokenOnly || len(h[caddymodule.PageHandler]) == 0 {
			guards = append(guards, g)
		}
	}
	if len(guards) != 1 {
		return nil, fmt.Errorf("%d guards, want 1", len(guards))
	}
	return guards[0], nil
}

// rulesOf adapts a Caddyfile with one guard and takes its rules.
func rulesOf(t *testing.T, text string) []authmin.Rule {
	t.Helper()
	rules, err := adaptedRules(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func adaptedRules(t *testing.T, text string) ([]authmin.Rule, error) {
	found, err := adapt(t, text)
	if err != nil {
		return nil, err
	}
	g, err := found.guard()
	if err != nil {
		return nil, err
	}
	actions := map[string]authmin.Action{
		"public": authmin.ActionPublic, "require": authmin.ActionRequire, "deny": authmin.ActionDeny,
	}
	var rules []authmin.Rule
	for _, c := range g.Rules {
		action, ok := actions[c.Action]
		if !ok {
			return nil, fmt.Errorf("action %q", c.Action)
		}
		rules = append(rules, authmin.Rule{Action: action, Scopes: c.Scopes, Methods: c.Methods, Paths: c.Paths})
	}
	return rules, nil
}
