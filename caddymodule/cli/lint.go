package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/llorch/gateway/caddymodule"
	"github.com/spf13/cobra"
)

func init() {
	subcommands = append(subcommands, lintCommand)
}

func lintCommand() *cobra.Command {
	var config, models string
	var strict bool
	cmd := &cobra.Command{
		Use:   "lint --config CADDYFILE",
		Short: "Finds routes without a guard and other mistakes in a configuration",
		Long: `
Prints FILE:LINE for every route that reaches a service without a guard, also in
handle, handle_path, handle_errors, route, handle_response, named routes and imports;
for secrets in {$NAME}, which Caddy saves with its configuration; for scopes that no
token holds; and warns of rewrites, shadow guards, rules that need no token, rules
that never decide, lists of models that restrict nothing, and budgets without effect.
With --models it also warns of patterns in lists of models that match no model:

	curl -s localhost:11434/api/tags | llorch authmin lint --config Caddyfile --models -

Exit status 1 when there is an error.`,
		Args: arguments(0, 0, "no argument; the configuration goes with --config"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings, err := lint(config)
			if err == nil && models != "" {
				findings, err = withKnownModels(findings, config, models, cmd.InOrStdin())
			}
			if err != nil {
				return err
			}
			return report(cmd.OutOrStdout(), cmd.ErrOrStderr(), config, findings, strict)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "The Caddyfile, or a JSON configuration")
	cmd.Flags().StringVar(&models, "models", "", "A file with the models that exist, or - for stdin: the answer of GET /v1/models or /api/tags, or one name on each line")
	cmd.Flags().BoolVar(&strict, "strict", false, "Treat warnings as errors")
	return cmd
}

// finding is one line of lint's report.
type finding struct {
	at      position
	warning bool
	text    string
}

// lint runs every check on a configuration. A configuration that cannot be adapted is an
// error, or a finding beside those that its text alone has.
func lint(path string) ([]finding, error) {
	if path == "" {
		return nil, errNoConfig
	}
	findings, err := lintText(path)
	if err != nil {
		return nil, err
	}
	s, err := readSettings(path)
	if err != nil {
		if len(findings) > 0 {
			return sorted(append(findings, finding{at: placeInError(path, err.Error()), text: err.Error()})), nil
		}
		return nil, err
	}
	for _, file := range s.imported() {
		more, err := lintText(file)
		if err != nil {
			return nil, err
		}
		findings = append(findings, more...)
	}
	findings = append(findings, lintCoverage(s)...)
	findings = append(findings, lintGuards(s)...)
	findings = append(findings, lintScopes(s)...)
	findings = append(findings, lintModels(s)...)
	findings = append(findings, lintBudgets(s)...)
	findings = append(findings, lintApps(s)...)
	findings = append(findings, lintFaults(s)...)
	return sorted(findings), nil
}

// lintCoverage reports handlers that requests reach without a guard.
func lintCoverage(s *settings) []finding {
	found := s.Coverage()
	places := locate(s, func(c *caddymodule.Config) (keys []string) {
		found := c.Coverage()
		for _, h := range append(found.Open, found.Rewrites...) {
			keys = append(keys, locateKey(h))
		}
		return keys
	})
	var findings []finding
	for _, seen := range found.Open {
		text := fmt.Sprintf("%s serves %s without an authmin guard; put `authmin { … }` before it, into its site or its handle block",
			seen.Name, seen.Serves())
		if seen.InErrorRoutes {
			text = fmt.Sprintf("%s in an error route serves %s without an authmin guard: error routes run after a refusal and before any guard; put `authmin { … }` into handle_errors, or answer with respond",
				seen.Name, seen.Serves())
		}
		findings = append(findings, findingsAt(places[locateKey(seen)], seen.Server, !seen.ReachesService(), text)...)
	}
	for _, seen := range found.GuardedRewrites {
		findings = append(findings, findingsAt(places[locateKey(seen)], seen.Server, true,
			"the guard judges the path that the client sent, and this changes it for the upstream; check that no stricter rule covers the changed path")...)
	}
	if found.TooDeep {
		findings = append(findings, finding{at: position{file: s.file}, text: "the routes are nested too deep, or named routes call each other; lint cannot determine what is open"})
	}
	return findings
}

// findingsAt is one finding for each of its places. One without a line names the server.
func findingsAt(places []position, server string, warning bool, text string) []finding {
	var findings []finding
	for _, at := range places {
		f := finding{at: at, warning: warning, text: text}
		if at.line == 0 && server != "" {
			f.text = "server " + server + ": " + text
		}
		findings = append(findings, f)
	}
	return findings
}

// knownApps are Caddy's own apps that serve no requests besides http.
var knownApps = []string{"http", "tls", "pki", "events", "storage", caddymodule.AppName}

// knownWrappers hand every connection on to the server.
var knownWrappers = []string{"tls", "http_redirect", "proxy_protocol"}

// lintApps reports apps and listener wrappers that may serve requests outside of routes.
func lintApps(s *settings) []finding {
	var findings []finding
	for name := range s.Caddy.AppsRaw {
		if !slices.Contains(knownApps, name) {
			findings = append(findings, finding{at: position{file: s.file}, warning: true,
				text: fmt.Sprintf("app %s: lint looks at HTTP routes only; check that it serves nothing that needs a guard", name)})
		}
	}
	for _, name := range s.Servers() {
		server := s.HTTP.Servers[name]
		for _, raw := range append(slices.Clip(server.ListenerWrappersRaw), server.PacketConnWrappersRaw...) {
			var doc struct {
				Wrapper string `json:"wrapper"`
			}
			if json.Unmarshal(raw, &doc) != nil || !slices.Contains(knownWrappers, doc.Wrapper) {
				findings = append(findings, finding{at: position{file: s.file}, warning: true,
					text: fmt.Sprintf("server %s: lint does not know the listener wrapper %q; check that it serves nothing that needs a guard", name, doc.Wrapper)})
			}
		}
	}
	return findings
}

func sorted(findings []finding) []finding {
	slices.SortStableFunc(findings, func(a, b finding) int {
		return cmp.Or(strings.Compare(a.at.file, b.at.file), cmp.Compare(a.at.line, b.at.line), strings.Compare(a.text, b.text))
	})
	return slices.Compact(findings)
}

// report prints findings, and fails when there is an error among them.
func report(out, stderr io.Writer, config string, findings []finding, strict bool) error {
	bad := 0
	for _, f := range findings {
		level := "error"
		if f.warning && !strict {
			level = "warning"
		} else {
			bad++
		}
		if _, err := fmt.Fprintf(out, "%s: %s: %s\n", f.at, level, f.text); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	if bad > 0 {
		return fmt.Errorf("lint: %s: errors found: %d", config, bad)
	}
	_, _ = fmt.Fprintf(stderr, "lint: %s: no errors, %d warnings\n", config, len(findings))
	return nil
}
