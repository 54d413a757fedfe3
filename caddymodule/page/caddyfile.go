package page

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

func init() {
	// RegisterHandlerDirective would accept a matcher.
	httpcaddyfile.RegisterDirective(caddymodule.PageHandler, parsePage)
	httpcaddyfile.RegisterDirectiveOrder(caddymodule.PageHandler, httpcaddyfile.Before, "redir")
}

// defaultName names the guard of a page that was given no name.
const defaultName = "page"

// parsePage reads the directive. Syntax:
//
//	authmin_page [<name>] {
//		orchestrator    <URL>
//		orchestrator_ca <absolute path>
//		upstream_token  <source>
//		plaintext
//	}
//
// The name is the guard's, for metrics and the audit trail. The directive makes the guard
// and the page behind it; it is alone in its site.
func parsePage(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	d := h.Dispenser
	d.Next() // the directive's name
	guard := caddymodule.Guard{Name: defaultName, TokenOnly: true, Rules: rules(), ModelFree: []caddymodule.ModelFreeConfig{{Paths: []string{livePath, tasksPath + "*"}}}}
	page := new(Page)
	if d.NextArg() {
		guard.Name = d.Val()
		if strings.IndexAny(guard.Name, "/*@") == 0 {
			return nil, d.Err("authmin_page takes no matcher: write `authmin_page` directly into a site of its own")
		}
	}
	if d.NextArg() {
		return nil, d.Err("authmin_page takes one name, or none, and a block")
	}
	var seen []string
	for d.NextBlock(0) {
		option := d.Val()
		if slices.Contains(seen, option) {
			return nil, d.Errf("%s is given twice", option)
		}
		seen = append(seen, option)
		if err := parseOption(d, &guard, page, option); err != nil {
			return nil, err
		}
	}
	if (page.Orchestrator == "") != (guard.UpstreamToken == "") {
		return nil, d.Err("authmin_page: orchestrator and upstream_token belong together: the orchestrator believes the gateway's own credential")
	}
	return []httpcaddyfile.ConfigValue{{Class: "route", Value: caddyhttp.Route{HandlersRaw: []json.RawMessage{
		caddyconfig.JSONModuleObject(&guard, "handler", caddymodule.AppName, nil),
		caddyconfig.JSONModuleObject(page, "handler", caddymodule.PageHandler, nil),
	}}}}, nil
}

func parseOption(d *caddyfile.Dispenser, guard *caddymodule.Guard, page *Page, option string) error {
	args := d.RemainingArgs()
	switch option {
	case "orchestrator":
		if len(args) != 1 {
			return d.Err("want orchestrator and one URL, such as `orchestrator http://127.0.0.1:8081`")
		}
		page.Orchestrator = args[0]
		if _, err := parseUpstream(args[0]); err != nil {
			return d.Errf("%v", err)
		}
	case "orchestrator_ca":
		if len(args) != 1 || !filepath.IsAbs(args[0]) {
			return d.Err("want orchestrator_ca and one absolute path of a PEM file")
		}
		page.OrchestratorCA = args[0]
	case "upstream_token":
		if len(args) != 1 {
			return d.Err("want upstream_token and one source, such as {file./run/secrets/upstream_token}")
		}
		if _, _, err := caddymodule.SplitSource(args[0]); err != nil {
			return d.Errf("upstream_token: %v", err)
		}
		guard.UpstreamToken = args[0]
	case "plaintext":
		if len(args) != 0 {
			return d.Err("plaintext takes no value")
		}
		guard.Plaintext = true
	default:
		return d.Err("unknown option of authmin_page; want orchestrator, orchestrator_ca, upstream_token or plaintext")
	}
	return nil
}

// rules are those of the page's guard: its files are public, and its data are for tokens
// with any of the scopes.
func rules() []caddymodule.RuleConfig {
	public := []string{http.MethodGet, http.MethodHead}
	return []caddymodule.RuleConfig{
		{Action: "public", Methods: public, Paths: publicPaths()},
		{Action: "require", Scopes: authmin.AllScopes(), Methods: []string{http.MethodGet}, Paths: []string{livePath, tasksPath + "*"}},
	}
}
