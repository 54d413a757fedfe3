package main

import (
	"fmt"
	"slices"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager"
)

// config is one reading of the configuration; it is the [backend.Daemon].
type config struct {
	options   poolmanager.Options
	templates []template

	own, upstream, dispatch, orchestrator *authmin.SecretSource
	urlKeys                               []*authmin.SecretSource
}

// Settings declares every key.
func (c *config) Settings() backend.Settings {
	return append(c.options.Settings(),
		backend.Setting{Key: "templates", Value: backend.Objects("templates", &c.templates, (*template).settings, checkTemplate),
			Doc: "ways to run an engine", DefaultDoc: "demo alone"},
		backend.Setting{Key: "preload", Value: backend.Objects("preload", &c.options.Preload, preloadSettings, nil),
			Doc: "pools to have from the start"},
	)
}

func preloadSettings(p *poolmanager.Preload) backend.Settings {
	return backend.Settings{
		{Key: "pool_id", Value: backend.Text(&p.PoolID, nil), Doc: "the pool's name"},
		{Key: "template", Value: backend.Text(&p.Template, nil), Doc: "the template of its engine"},
		{Key: "model_ref", Value: backend.Text(&p.ModelRef, nil), Doc: "its model", DefaultDoc: "the template's"},
		{Key: "on_demand", Value: backend.Switch(&p.OnDemand), Doc: "leaves the start to the first task"},
	}
}

// Secrets declares the credentials.
func (c *config) Secrets() backend.Secrets {
	return backend.Secrets{
		{Variable: "LLORCH_API_TOKEN", Source: &c.own, Doc: "a caller's own"},
		{Variable: "LLORCH_UPSTREAM_TOKEN", Source: &c.upstream, Doc: "the gateway's"},
		{Variable: "POOL_MANAGERD_DISPATCH_TOKEN", Source: &c.dispatch, Doc: "what the orchestrator must send to address"},
		{Variable: "ORCHESTRATORD_TOKEN", Source: &c.orchestrator, Fallback: "LLORCH_API_TOKEN",
			Doc: "sent to the orchestrator; needs scope nodes, and scope catalog where models of the catalog are used"},
	}
}

// Check looks that pools name templates that there are, and finds the runtime
// directory.
func (c *config) Check(lookup backend.Lookup) error {
	for i, p := range c.options.Preload {
		named := func(t template) bool { return t.Name == p.Template }
		if len(c.templates) > 0 && !slices.ContainsFunc(c.templates, named) {
			err := fmt.Errorf("template: %q is not among the templates", p.Template)
			return &backend.KeyError{Key: "preload", Item: i + 1, Field: "template", Err: err}
		}
	}
	if c.options.RuntimeDir == "" {
		c.options.RuntimeDir = runtimeDir(lookup)
	}
	return nil
}

// runtimeDir is systemd's RuntimeDirectory= or the session's own; a world
// writable place is never the default.
func runtimeDir(lookup backend.Lookup) string {
	if dir, ok := lookup("RUNTIME_DIRECTORY"); ok {
		return dir
	}
	if dir, ok := lookup("XDG_RUNTIME_DIR"); ok && dir != "" {
		return dir + "/llorch-poolmanager"
	}
	return ""
}
