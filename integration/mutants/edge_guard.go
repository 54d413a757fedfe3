package main

// The guard at the edge: what it takes off a request, and the configurations that it
// refuses. auth.md §3, §4, §8 and §9.
var edgeGuard = []Mutant{
	{
		Name: "guard/shadow-credential", Control: "auth.md §8: a shadow guard gives the gateway's credential to no request that the policy refuses",
		File:    "caddymodule/serve_sanitize.go",
		Old:     "if d.Public || !d.Allow { // a shadow guard",
		New:     "if d.Public { // a shadow guard",
		Package: "./caddymodule", Tests: "TestAShadowGuardAddsNothingToWhatItWouldRefuse",
	},
	{
		Name: "guard/public-credential", Control: "auth.md §8: a public route gets neither identity nor credential",
		File:    "caddymodule/serve_sanitize.go",
		Old:     "if d.Public || !d.Allow { // a shadow guard",
		New:     "if !d.Allow { // a shadow guard",
		Package: "./caddymodule", Tests: "TestAShadowGuardAddsNothingToWhatItWouldRefuse|TestHeadersTowardsTheUpstream",
	},
	{
		Name: "guard/client-credential", Control: "auth.md §8: the client's token never reaches a backend",
		File: "caddymodule/serve_sanitize.go",
		Old: `	g.dropCredentials(r.Header)
	s.sanitizeCORS`,
		New:     "	s.sanitizeCORS",
		Package: "./caddymodule", Tests: "TestAShadowGuardAddsNothingToWhatItWouldRefuse|TestClientTokenNeverReachesTheUpstream",
	},
	{
		Name: "guard/api-key-credential", Control: "auth.md §11: X-Api-Key is taken off as well",
		File: "caddymodule/credentials.go",
		Old: `	if g.decider.APIKey {
`,
		New: `	if false {
`,
		Package: "./caddymodule", Tests: "TestCredentialsOfBothHeaders",
	},
	{
		Name: "guard/identity-headers", Control: "auth.md §4.1: the client's copies of the identity headers are deleted",
		File: "caddymodule/serve_sanitize.go",
		Old: `	g.exceptions.Sanitize(r.Header)
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestHeadersTowardsTheUpstream|TestHeaderFamiliesTowardsTheUpstream",
	},
	{
		Name: "guard/tokens-in-headers", Control: "auth.md §9.3: a header field with a known token is removed",
		File: "caddymodule/serve_sanitize.go",
		Old: `	g.dropTokens(r.Header)
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestMisplacedTokensInEverySpelling|TestShadowGuardsPassNoToken",
	},
	{
		Name: "guard/trailers", Control: "auth.md §4.1: trailers are dropped unless they are allowed",
		File:    "caddymodule/serve_trailers.go",
		Old:     "if !allowed || len(r.Trailer) == 0 {",
		New:     "if len(r.Trailer) == 0 {",
		Package: "./caddymodule", Tests: "TestTrailersAreRemovedByDefault",
	},
	{
		Name: "guard/undeclared-trailers", Control: "a trailer that was not announced is removed",
		File:    "caddymodule/serve_trailers.go",
		Old:     "{ _, ok := declared[name]; return !ok })",
		New:     "{ _, ok := declared[name]; return !ok && false })",
		Package: "./caddymodule", Tests: "TestAllowedTrailersCarryNoIdentity|TestTrailersAreRemovedByDefault",
	},
	{
		Name: "guard/forget-credential", Control: "auth.md §9.6: the upstream credential does not survive into error routes",
		File: "caddymodule/serve.go",
		Old: `	defer deleteUpstreamHeaders(r)
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestTheUpstreamCredentialDoesNotSurviveTheGuard",
	},
	{
		Name: "guard/misplaced-token", Control: "auth.md §9.3: a valid token in the target is refused",
		File:    "caddymodule/serve.go",
		Old:     "if d.Allow && g.leaked(r, s) {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestMisplacedTokensInEverySpelling",
	},
	{
		Name: "guard/misplaced-in-host", Control: "auth.md §9.3: a valid token in Host is refused",
		File:    "caddymodule/serve_leaks.go",
		Old:     " || leaks.ContainsValidTokenFolded(r.Host, now)",
		New:     "",
		Package: "./caddymodule", Tests: "TestMisplacedTokensInEverySpelling",
	},
	{
		Name: "guard/shadow-target", Control: "auth.md §9.3: a shadow guard redacts a token in the target",
		File: "caddymodule/serve.go",
		Old: `		g.redactTarget(r, s)
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestShadowGuardsPassNoToken",
	},
	{
		Name: "guard/correlation-id", Control: "auth.md §9.3: a correlation id that contains a token is replaced",
		File:    "caddymodule/serve_sanitize.go",
		Old:     "if g.app.store.leaks.ContainsTokenFolded(id) {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestMisplacedTokensInEverySpelling|TestBadCorrelationIDIsReplaced",
	},
	{
		Name: "guard/nested", Control: "one request has one policy: a second guard refuses",
		File: "caddymodule/serve.go",
		Old: `	case nested:
		return nestedDecision
`,
		New: `	case nested && false:
		return nestedDecision
`,
		Package: "./caddymodule", Tests: "TestASecondGuardRefuses",
	},
	{
		Name: "guard/nested-start", Control: "a guard inside a guard is refused at the start",
		File:    "caddymodule/guard_nesting.go",
		Old:     "(within(p.enclosing, other.enclosing) || within(other.enclosing, p.enclosing))",
		New:     "false && within(p.enclosing, other.enclosing)",
		Package: "./caddymodule", Tests: "TestGuardInsideGuard",
	},
	{
		Name: "guard/client-path", Control: "auth.md §3: the policy judges the path as the client sent it",
		File:    "caddymodule/serve_sanitize.go",
		Old:     "target, u = original.RequestURI, original.URL",
		New:     "u = original.URL",
		Package: "./caddymodule", Tests: "TestClientPathIsJudgedBeforeRewrites",
	},
	{
		Name: "guard/wrapped-bypass", Control: "auth.md §4.5: no loopback bypass behind listener wrappers",
		File:    "caddymodule/guard_bind.go",
		Old:     "if local == nil || s.wrapped {",
		New:     "if local == nil {",
		Package: "./caddymodule", Tests: "TestTheBypassEndsBehindAListenerWrapper",
	},
	{
		Name: "guard/exposed-bypass", Control: "auth.md §4.5: no bypass at an exposed listener of the same port",
		File: "caddymodule/guard_bind.go",
		Old: `		if !l.loopback {
			return exposed
		}
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestTheBypassIsOfLoopbackListenersOnly",
	},
	{
		Name: "guard/bind-token", Control: "auth.md §3: an exposed guard without a token does not start",
		File:    "caddymodule/guard_bind.go",
		Old:     "if !haveToken {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestBindPolicy|TestEmptyKeyringIsNoToken",
	},
	{
		Name: "guard/bind-plaintext", Control: "auth.md §3: an exposed guard on plain HTTP does not start",
		File:    "caddymodule/guard_bind.go",
		Old:     "if !l.tls && !plaintext {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestBindPolicy",
	},
	{
		Name: "guard/bind-shadow", Control: "a shadow guard on an exposed address does not start",
		File: "caddymodule/guard_bind.go",
		Old: `		if shadow {
`,
		New: `		if false {
`,
		Package: "./caddymodule", Tests: "TestAnExposedShadowGuardDoesNotStart",
	},
	{
		Name: "guard/bind-ports", Control: "a range of more than 1024 ports is refused",
		File:    "caddymodule/guard_bind.go",
		Old:     "if parsed.PortRangeSize() > maxPorts {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestPortRanges",
	},
	{
		Name: "guard/wrapped-proxies", Control: "trust_proxy goes with no listener wrapper",
		File:    "caddymodule/guard.go",
		Old:     "if g.listeners.wrapped && len(g.app.proxies) > 0 {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestTrustProxyGoesWithNoListenerWrapper",
	},
	{
		Name: "guard/kept-headers", Control: "a server that keeps names which hide forwarding headers has no bypass",
		File:    "caddymodule/guard.go",
		Old:     "if err := checkExpectedHeaders(server); err != nil {",
		New:     "if err := checkExpectedHeaders(server); false {",
		Package: "./caddymodule", Tests: "TestKeptNamesThatHideAForwardingHeaderAreRefused",
	},
	{
		Name: "guard/log-credentials", Control: "log_credentials does not start",
		File:    "caddymodule/guard.go",
		Old:     "if server.Logs != nil && server.Logs.ShouldLogCredentials {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestCredentialsAreNotLoggedOnRequest",
	},
	{
		Name: "guard/token-only", Control: "token_only takes neither the bypass nor a proxy's identity",
		File: "caddymodule/guard.go",
		Old: `	if g.TokenOnly {
`,
		New: `	if false {
`,
		Package: "./caddymodule", Tests: "TestTokenOnlyTakesNoOtherIdentity",
	},
	{
		Name: "guard/optional-once", Control: "placeholders are replaced once: the value of a variable is no placeholder again",
		File:    "caddymodule/app.go",
		Old:     "value, err := repl.ReplaceOrErr(a.Optional, false, true)",
		New:     `value, err := repl.ReplaceOrErr(repl.ReplaceAll(a.Optional, ""), false, true)`,
		Package: "./caddymodule", Tests: "TestOptionalIsReplacedOnce",
	},
	{
		Name: "guard/request-placeholders", Control: "placeholders in a request are text",
		File: "caddymodule/serve_sanitize.go",
		Old: `	r.Header[authmin.HeaderCorrelationID] = s.field(s.id)
`,
		New: `	r.Header[authmin.HeaderCorrelationID] = s.field(s.id)
	r.URL.RawQuery = replacer(r).ReplaceAll(r.URL.RawQuery, "")
`,
		Package: "./caddymodule", Tests: "TestPlaceholdersOfARequestAreNotReplaced",
	},
	{
		Name: "guard/foreign-origin-header", Control: "auth.md §11: the origin of a listed page is taken off before the upstream",
		File: "caddymodule/cors.go",
		Old: `	if s.origin != "" {
		delete(h, authmin.HeaderOrigin)
	}
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestPreflights|TestAnswersForPages",
	},
	{
		Name: "guard/refuse-closes", Control: "a refused request's connection is closed on HTTP/1",
		File: "caddymodule/serve.go",
		Old: `	if r.ProtoMajor == 1 {
		h.Set("Connection", "close")`,
		New: `	if false {
		h.Set("Connection", "close")`,
		Package: "./caddymodule", Tests: "TestRefusalDoesNotWaitForTheBody|TestARefusedBodyClosesItsConnection",
	},
	{
		Name: "guard/unread-body", Control: "the rest of a body that was not read is no request",
		File:    "caddymodule/serve_body.go",
		Old:     "if s.body != nil && s.request.ProtoMajor == 1 && !s.body.whole.Load() {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestABodyThatIsNotReadIsNoRequest",
	},
}
