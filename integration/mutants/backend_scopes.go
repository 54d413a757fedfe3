package main

import "strings"

// The scope of each route: api.md, which scope a route needs in the shipped policy. A
// mutant of each gives the route the scope of every caller of its program.

// scopedRoutes are the files that register routes, and how the lines begin that do.
var scopedRoutes = []struct {
	name, file, pkg string
	lines           []string
}{
	{"orchestrator", "orchestrator/httpapi/artifacts.go", "./orchestrator/httpapi", []string{
		`authmin.ScopeInfer, http.MethodPost, "/v2/artifacts"`, `authmin.ScopeInfer, http.MethodGet, "/v2/artifacts/{id}"`,
	}},
	{"orchestrator", "orchestrator/httpapi/catalog.go", "./orchestrator/httpapi", []string{
		`authmin.ScopeCatalog, http.MethodPost, models, `, `authmin.ScopeCatalog, http.MethodGet, models, `, `authmin.ScopeCatalog, http.MethodGet, models+"/{id}"`,
		`authmin.ScopeCatalog, http.MethodDelete, models+"/{id}"`, `authmin.ScopeCatalog, http.MethodPost, models+"/{id}/verify"`,
		`authmin.ScopeCatalog, http.MethodPost, models+"/{id}/state"`, `authmin.ScopeCatalog, http.MethodGet, "/v2/catalog/availability"`,
	}},
	{"orchestrator", "orchestrator/httpapi/control.go", "./orchestrator/httpapi", []string{
		`authmin.ScopeAdmin, http.MethodPost, pools+"/drain"`, `authmin.ScopeAdmin, http.MethodPost, pools+"/reload"`,
		`authmin.ScopeAdmin, http.MethodPost, "/v2/pools/{id}/purge"`, `authmin.ScopeNodes, http.MethodPost, "/v2/workers/register"`,
	}},
	{"orchestrator", "orchestrator/httpapi/meta.go", "./orchestrator/httpapi", []string{
		`authmin.ScopeInfer, http.MethodGet, "/v2/meta/version"`, `authmin.ScopeMetrics, http.MethodGet, "/v2/meta/replica"`,
		`authmin.ScopeMetrics, path, metrics`, `authmin.ScopeAdmin, path, http.HandlerFunc(a.base.Document)`,
	}},
	{"orchestrator", "orchestrator/httpapi/models.go", "./orchestrator/httpapi", []string{
		`authmin.ScopeInfer, http.MethodGet, "/v1/models", `, `authmin.ScopeInfer, http.MethodGet, "/v1/models/{id}"`,
	}},
	{"orchestrator", "orchestrator/httpapi/nodes.go", "./orchestrator/httpapi", []string{
		`authmin.ScopeNodes, http.MethodPost, "/v2/nodes/register"`, `authmin.ScopeNodes, http.MethodPost, "/v2/nodes/{id}/heartbeat"`,
		`authmin.ScopeNodes, http.MethodDelete, "/v2/nodes/{id}"`, `authmin.ScopeAdmin, http.MethodGet, "/v2/nodes"`, `authmin.ScopeAdmin, http.MethodGet, path`,
	}},
	{"orchestrator", "orchestrator/httpapi/sessions.go", "./orchestrator/httpapi", []string{
		`authmin.ScopeInfer, http.MethodGet, "/v2/sessions/{id}"`, `authmin.ScopeInfer, http.MethodDelete, "/v2/sessions/{id}"`,
	}},
	{"orchestrator", "orchestrator/httpapi/tasks.go", "./orchestrator/httpapi", []string{
		`authmin.ScopeInfer, http.MethodPost, "/v2/tasks", `, `authmin.ScopeInfer, http.MethodGet, "/v2/tasks", `, `authmin.ScopeInfer, http.MethodGet, "/v2/tasks/{id}", `,
		`authmin.ScopeInfer, http.MethodGet, "/v2/tasks/{id}/events"`, `authmin.ScopeInfer, http.MethodDelete, "/v2/tasks/{id}"`, `authmin.ScopeInfer, http.MethodPost, "/v2/tasks/{id}/cancel"`,
	}},
	{"poolmanager", "poolmanager/api.go", "./poolmanager", []string{
		`"All pools"), authmin.ScopeDispatch`, `"One pool"), authmin.ScopeDispatch`, `"Start an engine from a template"), authmin.ScopeDispatch`,
		`"Run one task and stream its tokens"), authmin.ScopeDispatch`, `"Let running tasks end, then stop"), authmin.ScopeDispatch`,
		`"Replace the model"), authmin.ScopeDispatch`, `"Stop the engine and its tasks"), authmin.ScopeDispatch`, `"The engine's last lines"), authmin.ScopeAdmin`,
		`authmin.ScopeMetrics, path`, `authmin.ScopeAdmin, path`,
	}},
	{"poolmanager", "poolmanager/api_call.go", "./poolmanager", []string{`add(a, op, authmin.ScopeDispatch, a.call)`}},
}

// backendScopes are the mutants of the routes' scopes.
var backendScopes = func() []Mutant {
	var all []Mutant
	for _, r := range scopedRoutes {
		for _, line := range r.lines {
			all = append(all, Mutant{
				Name: "scope/" + r.name + "/" + slug(line), Control: "api.md: which scope a route needs",
				File: r.file, Package: r.pkg, Tests: "TestEachRouteNeedsItsScope", Old: line, New: otherScope(line),
			})
		}
	}
	return all
}()

// otherScope gives a route the scope infer, and one of that scope the scope metrics.
func otherScope(line string) string {
	if strings.Contains(line, "authmin.ScopeInfer") {
		return strings.Replace(line, "authmin.ScopeInfer", "authmin.ScopeMetrics", 1)
	}
	for _, scope := range []string{"Admin", "Nodes", "Catalog", "Metrics", "Dispatch"} {
		line = strings.Replace(line, "authmin.Scope"+scope, "authmin.ScopeInfer", 1)
	}
	return line
}

// slug is a line in the letters of a mutant's name.
func slug(line string) string {
	words := strings.FieldsFunc(strings.ToLower(strings.ReplaceAll(line, "authmin.Scope", "")), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
	return strings.Join(words, "-")
}
