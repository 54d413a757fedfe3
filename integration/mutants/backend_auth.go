package main

// What package authmin/backend demands of a request: the credential, the scope, the list of models.

var backendAuth = []Mutant{
	{
		Name: "backend/route/list-of-models", Control: "auth.md §10: routes that name no model are closed to a caller with a list",
		File: "authmin/backend/route.go", Package: "./authmin/backend", Tests: "TestACallerWithAListIsRefusedByTheRouter",
		Old: "\tcase closedToList(caller, op, scopes):",
		New: "\tcase false && (closedToList(caller, op, scopes)):",
	},
	{
		Name: "backend/auth/stream-of-a-removed-token", Control: "auth.md §8: requests of a removed token end",
		File: "authmin/backend/settokens.go", Package: "./authmin/backend", Tests: "TestACallersStreamEndsWithItsToken",
		Old: "\t\tif _, verdict := ring.Lookup(call.digest, now); verdict != authmin.VerdictValid {",
		New: "\t\tif _, verdict := ring.Lookup(call.digest, now); false && (verdict != authmin.VerdictValid) {",
	},
	{
		Name: "backend/route/scope", Control: "api.md: the scope of each route",
		File: "authmin/backend/route.go", Package: "./authmin/backend", Tests: "TestAPIAnswers",
		Old: "\tcase !caller.Allows(scopes...):",
		New: "\tcase false && (!caller.Allows(scopes...)):",
	},
	{
		Name: "backend/auth/headers-of-a-direct-caller", Control: "auth.md §8: a caller's own identity headers are removed",
		File: "authmin/backend/authenticator.go", Package: "./authmin/backend", Tests: "TestBackendIdentity",
		Old: "\t\t\tr.Header.Del(name)",
		New: `			if false {
				r.Header.Del(name)
			}`,
	},
	{
		Name: "backend/auth/no-list-of-models", Control: "auth.md §10: without X-Auth-Models no model may be used",
		File: "authmin/backend/authenticator.go", Package: "./authmin/backend", Tests: "TestBackendIdentity",
		Old: "\tif len(models) == 1 {",
		New: `	if true {
		caller.Models = nil
	}
	if len(models) == 1 {`,
	},
	{
		Name: "backend/auth/two-identities", Control: "auth.md §8: two identity headers are none",
		File: "authmin/backend/authenticator.go", Package: "./authmin/backend", Tests: "TestBackendIdentity",
		Old: `	if len(names) != 1 || !authmin.IsName(strings.TrimPrefix(names[0], "proxy:")) {`,
		New: `	if false && (len(names) != 1 || !authmin.IsName(strings.TrimPrefix(names[0], "proxy:"))) {`,
	},
	{
		Name: "backend/auth/two-lists-of-scopes", Control: "auth.md §8: two lists of scopes are none",
		File: "authmin/backend/authenticator.go", Package: "./authmin/backend", Tests: "TestBackendIdentity",
		Old: "\tif len(lists) == 1 {",
		New: "\tif len(lists) == 1 || true && len(lists) > 1 {",
	},
	{
		Name: "backend/auth/token-in-the-id", Control: "auth.md §8: a correlation id with a token is replaced",
		File: "authmin/backend/authenticator.go", Package: "./authmin/backend", Tests: "TestBackendLogsHoldNoTokenOfTheirs",
		Old: "\t\tif b.leaks.ContainsTokenFolded(id) {",
		New: "\t\tif false && (b.leaks.ContainsTokenFolded(id)) {",
	},
	{
		Name: "backend/auth/unknown-token", Control: "auth.md §8: a wrong credential is 401",
		File: "authmin/backend/authenticator.go", Package: "./authmin/backend", Tests: "TestBackendRefusesCredentials",
		Old: `	case verdict != authmin.VerdictValid:
		return who, verdict.Reason()`,
		New: `	case false && (verdict != authmin.VerdictValid):
		return who, verdict.Reason()`,
	},
	{
		Name: "backend/auth/open-address-without-token", Control: "auth.md §8: an address that others reach needs a token",
		File: "authmin/backend/authenticator.go", Package: "./authmin/backend", Tests: "TestNewBackendRefuses",
		Old: "\tif ring.Len() == 0 && !authmin.IsLoopbackListen(o.Listen) {",
		New: "\tif false && (ring.Len() == 0 && !authmin.IsLoopbackListen(o.Listen)) {",
	},
	{
		Name: "backend/auth/weak-token", Control: "auth.md §2: a weak token is refused",
		File: "authmin/backend/settokens.go", Package: "./authmin/backend", Tests: "TestNewBackendRefuses",
		Old: "\t\tif err := authmin.CheckStrength(t.secret); err != nil {",
		New: "\t\tif err := authmin.CheckStrength(t.secret); false && (err != nil) {",
	},
	{
		Name: "backend/auth/no-credential", Control: "auth.md §8: no credential is 401 on every route but /health and /ready",
		File: "authmin/backend/authenticator.go", Package: "./authmin/backend", Tests: "TestOnlyExactHealthAndReadyAreOpen",
		Old: "\t\tif reason != authmin.ReasonNone && !open {",
		New: "\t\tif false && (reason != authmin.ReasonNone && !open) {",
	},
	{
		Name: "backend/auth/public-exactly", Control: "auth.md §8: exact GET, HEAD /health alone",
		File: "authmin/backend/authenticator.go", Package: "./authmin/backend", Tests: "TestOnlyExactHealthAndReadyAreOpen",
		Old: `isPublicPath(r.URL.Path) && r.URL.RawPath == ""`,
		New: `isPublicPath(r.URL.Path) && (true || (r.URL.RawPath == ""))`,
	},
	{
		Name: "backend/auth/public-methods", Control: "auth.md §8: exact GET, HEAD /health alone",
		File: "authmin/backend/authenticator.go", Package: "./authmin/backend", Tests: "TestOnlyExactHealthAndReadyAreOpen",
		Old: "open := (r.Method == http.MethodGet || r.Method == http.MethodHead) &&",
		New: "open := (true || (r.Method == http.MethodGet || r.Method == http.MethodHead)) &&",
	},
	{
		Name: "backend/route/public-without-scope", Control: "auth.md §8: /health and /ready alone are public",
		File: "authmin/backend/route.go", Package: "./authmin/backend", Tests: "TestOnlyHealthAndReadyNeedNothing",
		Old: "\tif isPublicPath(op.Path) && len(op.Security) == 1 &&",
		New: "\tif (true || (isPublicPath(op.Path))) && len(op.Security) == 1 &&",
	},
	{
		Name: "backend/auth/token-taken-away", Control: "auth.md §8: a reload takes no credential away",
		File: "authmin/backend/settokens.go", Package: "./authmin/backend", Tests: "TestSetTokensRefusesWhatAStartWouldRefuse",
		Old: "\tif ring.Len() < b.ring.Load().Len() {",
		New: "\tif false && (ring.Len() < b.ring.Load().Len()) {",
	},
}
