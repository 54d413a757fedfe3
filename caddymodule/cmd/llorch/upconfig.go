package main

import (
	"fmt"
	"net"
	"strings"
	"text/template"

	_ "embed"

	"github.com/llorch/gateway/authmin/backend/tracing"
)

// The variables by which up passes its internal credentials to its own
// configuration, in this process only: no child inherits them. The client token is
// in [caddymodule.EnvToken].
const (
	envUpstreamToken = "LLORCH_UPSTREAM_TOKEN"
	envNodeToken     = "LLORCH_NODE_TOKEN"
)

//go:embed up.caddyfile.tmpl
var upTemplateText string

var upTemplate = template.Must(template.New("Caddyfile").Parse(upTemplateText))

// caddyfileFor renders the Caddyfile that up runs.
func caddyfileFor(o upOptions, client clientToken) (string, error) {
	var b strings.Builder
	pageHost, _, _ := net.SplitHostPort(o.page)
	host, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return "", fmt.Errorf("--listen %s: %w", o.listen, err)
	}
	err = upTemplate.Execute(&b, map[string]any{
		"Host": host, "Port": port, "DataDir": quote(o.dataDir),
		"Budgets":      quote(o.budgetsDir()),
		"Token":        client.caddyfileLine(),
		"Orchestrator": o.orchestratorAddr(), "PoolManager": o.poolManagerAddr(),
		"UpstreamToken": envUpstreamToken, "NodeToken": envNodeToken,
		"Page": o.page, "PageHost": pageHost, "PagePort": o.pagePort(),
		"Tracing": tracing.Enabled(), // after the guard: refused requests are not traced
	})
	if err != nil {
		return "", fmt.Errorf("writing the Caddyfile: %w", err)
	}
	return b.String(), nil
}

// quote escapes a path for a quoted token of a Caddyfile.
func quote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path)
}
