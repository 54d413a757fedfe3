package main

// Models, pages of other origins, and the page of the gateway itself: auth.md §10 and §11.
var edgeModel = []Mutant{
	{
		Name: "model/route", Control: "auth.md §10: a route in neither option is 403 for a token with models",
		File:    "caddymodule/models_check.go",
		Old:     "case len(routes) == 0:",
		New:     "case len(routes) < 0:",
		Package: "./caddymodule", Tests: "TestModelsOfATokenAreEnforced",
	},
	{
		Name: "model/upgrade", Control: "auth.md §10: an Upgrade is 403 for a token with models",
		File:    "caddymodule/models_check.go",
		Old:     `if _, upgrade := r.Header["Upgrade"]; upgrade { // what is said after it cannot be read`,
		New:     "if false { // what is said after it cannot be read",
		Package: "./caddymodule", Tests: "TestModelsOfATokenAreEnforced",
	},
	{
		Name: "model/free-query", Control: "auth.md §10: a model in the query of a model_free route is checked",
		File:    "caddymodule/models_check.go",
		Old:     `if name := named[0].value; name != "" && !d.Models.Allow(name) {`,
		New:     "if name := named[0].value; false && !d.Models.Allow(name) {",
		Package: "./caddymodule", Tests: "TestModelsOfATokenAreEnforced",
	},
	{
		Name: "model/missing", Control: "auth.md §10: no model is 400 MODEL_MISSING",
		File: "caddymodule/models_check.go",
		Old: `	if len(names) == 0 {
		return nil, &problemModelMissing
	}
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestModelsOfATokenAreEnforced",
	},
	{
		Name: "model/two-names", Control: "auth.md §10: model and name that differ are 400",
		File:    "caddymodule/models_check.go",
		Old:     `if synonym != "" && synonym != n.value {`,
		New:     "if false && synonym != n.value {",
		Package: "./caddymodule", Tests: "TestModelsOfATokenAreEnforced",
	},
	{
		Name: "model/encoding", Control: "auth.md §10: a Content-Encoding is 415",
		File:    "caddymodule/models_body.go",
		Old:     `if len(r.Header["Content-Encoding"]) > 0 {`,
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestModelsOfATokenAreEnforced",
	},
	{
		Name: "model/chunked-large", Control: "auth.md §10: a body without a length is bounded as well",
		File:    "caddymodule/models_body.go",
		Old:     "if total > g.MaxBody {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestABodyWithoutALengthIsBounded",
	},
	{
		Name: "model/memory-share", Control: "auth.md §10: one identity holds half of body_memory at most",
		File:    "caddymodule/models_memory.go",
		Old:     "if n > free || m.by[identity]+n > limit/2 {",
		New:     "if n > free {",
		Package: "./caddymodule", Tests: "TestBodyMemoryKeepsAShareForOthers",
	},
	{
		Name: "model/memory-back", Control: "a body's memory is given back when it is forwarded, not only with the request",
		File:    "caddymodule/models_body.go",
		Old:     "body := &heldBody{rest: r.Body, read: s.discharge}",
		New:     "body := &heldBody{rest: r.Body, read: func() {}}",
		Package: "./caddymodule", Tests: "TestTheMemoryOfABodyIsGivenBackWhenItIsForwarded",
	},
	{
		Name: "model/at-upstream", Control: "auth.md §10: models_at upstream needs upstream_token",
		File:    "caddymodule/models.go",
		Old:     `case g.ModelsAt != "" && g.UpstreamToken == "":`,
		New:     "case false:",
		Package: "./caddymodule", Tests: "TestModelsAtIsRefusedWhereNoUpstreamCouldCheck",
	},
	{
		Name: "cors/preflight-origin", Control: "auth.md §11: other origins are told nothing",
		File: "caddymodule/cors.go",
		Old: `	if s.origin != "" {
		delete(h, headerExposeHeaders)`,
		New: `	if true {
		delete(h, headerExposeHeaders)`,
		Package: "./caddymodule", Tests: "TestPreflights",
	},
	{
		Name: "cors/exact-origin", Control: "auth.md §11: origins are exact",
		File:    "caddymodule/cors.go",
		Old:     "len(origins) == 1 && c.origins[origins[0]] {",
		New:     "len(origins) == 1 {",
		Package: "./caddymodule", Tests: "TestPreflights|TestAnswersForPages",
	},
	{
		Name: "cors/upstream-answers", Control: "auth.md §11: Access-Control-* of an upstream is taken off",
		File: "caddymodule/cors_headers.go",
		Old: `	dropBrowsers(h)
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestAnswersForPages",
	},
	{
		Name: "cors/vary", Control: "auth.md §11: Vary: Origin",
		File: "caddymodule/cors_headers.go",
		Old: `	h["Vary"] = append(h["Vary"], authmin.HeaderOrigin)
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestPreflights|TestAnswersForPages",
	},
	{
		Name: "cors/request-headers", Control: "auth.md §11: Access-Control-Request-* is taken off before the upstream",
		File:    "caddymodule/cors.go",
		Old:     `if strings.HasPrefix(name, "Access-Control-Request-") {`,
		New:     `if false && strings.HasPrefix(name, "Access-Control-Request-") {`,
		Package: "./caddymodule", Tests: "TestAnswersForPages|TestOptionsOfOtherClients",
	},
	{
		Name: "cors/preflight-token", Control: "a preflight repeats no token",
		File:    "caddymodule/cors_headers.go",
		Old:     " && !g.app.store.leaks.ContainsTokenFolded(name) {",
		New:     " {",
		Package: "./caddymodule", Tests: "TestAPreflightRepeatsNoToken",
	},
}
