package main

// What package authmin decides on one request by its policy: auth.md §3, §4 and §9.
var edgeDecide = []Mutant{
	{
		Name: "decide/deny-head", Control: "auth.md §3: a deny rule without methods is one for HEAD as well",
		File:    "authmin/match.go",
		Old:     "if r.hasMethod(method) && matchAny(r.Paths, path) {",
		New:     `if r.hasMethod(method) && matchAny(r.Paths, path) && !(method == "HEAD" && r.Action == ActionDeny) {`,
		Package: "./authmin", Tests: "TestARuleWithoutMethodsIsOneForAll",
	},
	{
		Name: "decide/connect-and-trace", Control: "auth.md §4.2: CONNECT and TRACE are refused",
		File:    "authmin/decide.go",
		Old:     "case r.Method == http.MethodConnect || r.Method == http.MethodTrace:",
		New:     "case false:",
		Package: "./authmin", Tests: "TestDecide",
	},
	{
		Name: "decide/lower-case-method", Control: "a method in lower case, which no rule for a method matches, is refused",
		File:    "authmin/decide.go",
		Old:     "case strings.ContainsFunc(r.Method, isLower):",
		New:     "case false && strings.ContainsFunc(r.Method, isLower):",
		Package: "./authmin", Tests: "TestDecide",
	},
	{
		Name: "decide/h2c", Control: "auth.md §4.2: Upgrade: h2c is refused",
		File:    "authmin/decide.go",
		Old:     "case wantsH2C(r.Header):",
		New:     "case false:",
		Package: "./authmin", Tests: "TestDecide",
	},
	{
		Name: "decide/content-length", Control: "RFC 9113 §8.1.1: an invalid Content-Length is refused",
		File:    "authmin/decide.go",
		Old:     `case !isLength(r.Header["Content-Length"]):`,
		New:     "case false:",
		Package: "./authmin", Tests: "TestDecide",
	},
	{
		Name: "decide/host", Control: "auth.md §4.2: an empty or invalid Host is refused",
		File:    "authmin/decide.go",
		Old:     "case !IsHost(r.Host):",
		New:     "case false:",
		Package: "./authmin", Tests: "TestDecide",
	},
	{
		Name: "decide/target", Control: "auth.md §3: a path that can be read in two ways is refused",
		File: "authmin/decide.go",
		Old: `if d.Path, err = CheckTarget(r.Target); err == nil {
		d.Rule`,
		New: `if d.Path, err = CheckTarget(r.Target); err != nil {
		d.Path, err = r.Target, nil
	}
	{
		d.Rule`,
		Package: "./authmin", Tests: "TestDecide",
	},
	{
		Name: "decide/variant-of-public", Control: "auth.md §9.1: a variant of a stricter rule's path is refused on a public route",
		File: "authmin/decide.go",
		Old: `		if variant {
			d.refuse(ReasonPath, &ProblemVariant)
			return d
		}
`,
		New:     "",
		Package: "./authmin", Tests: "TestVariantsOfAStricterRuleAreRefused",
	},
	{
		Name: "decide/variant-of-require", Control: "auth.md §9.1: a variant of a stricter rule's path is refused with a token",
		File: "authmin/decide.go",
		Old: `	case variant:
		d.refuse(ReasonPath, &ProblemVariant)
`,
		New:     "",
		Package: "./authmin", Tests: "TestVariantsOfAStricterRuleAreRefused",
	},
	{
		Name: "decide/deny", Control: "auth.md §3: deny, and what no rule matches, is refused with a token too",
		File:    "authmin/decide.go",
		Old:     "case rule.Action != ActionRequire:",
		New:     "case false:",
		Package: "./authmin", Tests: "TestDecide",
	},
	{
		Name: "decide/scope", Control: "auth.md §3: a token without the rule's scopes is refused",
		File:    "authmin/decide.go",
		Old:     "case !allows(d.Scopes, rule.Scopes, g.Policy.plainAdmin):",
		New:     "case false:",
		Package: "./authmin", Tests: "TestDecide",
	},
	{
		Name: "decide/malformed", Control: "auth.md §4.3: a malformed credential is refused, not taken for none",
		File: "authmin/decide.go",
		Old: `	case PresentedMalformed:
		return ReasonMalformed
`,
		New:     "",
		Package: "./authmin", Tests: "TestInvalidTokensAreNotDowngraded",
	},
	{
		Name: "decide/invalid-token", Control: "auth.md §4.3: an invalid token is refused, not downgraded to the loopback bypass",
		File: "authmin/decide.go",
		Old: `		return verdict.Reason()
	}`,
		New: `		if verdict == VerdictValid {
			return ReasonNone
		}
	}`,
		Package: "./authmin", Tests: "TestInvalidTokensAreNotDowngraded",
	},
	{
		Name: "decide/proxy-peer", Control: "auth.md §6: only the socket peer of trust_proxy names an identity",
		File:    "authmin/decide.go",
		Old:     "ok && g.isProxy(r.Peer) {",
		New:     "ok {",
		Package: "./authmin", Tests: "TestProxyIdentity",
	},
	{
		Name: "decide/proxy-name", Control: "a proxy names one identity, of the grammar of tokens",
		File:    "authmin/decide.go",
		Old:     "if len(names) != 1 || !isName(names[0]) {",
		New:     "if len(names) == 0 {",
		Package: "./authmin", Tests: "TestProxyIdentity",
	},
	{
		Name: "decide/proxy-bypass", Control: "a trusted proxy without an identity has no loopback bypass",
		File:    "authmin/decide.go",
		Old:     "if g.Optional && !g.isProxy(r.Peer) {",
		New:     "if g.Optional {",
		Package: "./authmin", Tests: "TestProxyIdentity",
	},
	{
		Name: "decide/bad-token", Control: "auth.md §5: a revoked, expired or malformed token counts as a failure for the lockout",
		File:    "authmin/decide.go",
		Old:     "case ReasonMalformed, ReasonUnknown, ReasonExpired, ReasonRevoked, ReasonNotYet:",
		New:     "case ReasonUnknown:",
		Package: "./authmin", Tests: "TestInvalidTokensCountForTheLockout",
	},
	{
		Name: "decide/no-wanted-scope", Control: "a rule that wants no scope is a mistake and refuses",
		File: "authmin/decide.go",
		Old: `if len(wanted) == 0 {
		return false`,
		New: `if len(wanted) == 0 {
		return true`,
		Package: "./authmin", Tests: "TestAllows",
	},
	{
		Name: "decide/plain-admin", Control: "auth.md §9.12: admin_is_superuser off makes admin a scope like any other",
		File:    "authmin/decide.go",
		Old:     "if scope == ScopeAdmin && !plainAdmin ||",
		New:     "if scope == ScopeAdmin ||",
		Package: "./authmin", Tests: "TestStricterWhereAdminIsPlain",
	},
	{
		Name: "decide/default-deny", Control: "auth.md §3: what no rule matches is refused",
		File:    "authmin/match.go",
		Old:     "return Rule{Action: ActionDeny}",
		New:     "return Rule{Action: ActionPublic}",
		Package: "./authmin", Tests: "TestDecide|TestZeroPolicyRefusesEverything",
	},
	{
		Name: "decide/encoded-slash", Control: "auth.md §3: an encoded slash is refused unless the guard allows it",
		File:    "authmin/match.go",
		Old:     "if !matchAny(p.slashes, path) {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestMatchOfAnEncodedSlash",
	},
	{
		Name: "decide/encoded-slash-between-rules", Control: "an encoded slash between two rules is refused",
		File:    "authmin/match.go",
		Old:     `if p.match(method, strings.ReplaceAll(path, encodedSlash, "/")) != rule {`,
		New:     "if false {",
		Package: "./authmin", Tests: "TestMatchOfAnEncodedSlash",
	},
	{
		Name: "decide/segment-boundary", Control: "auth.md §3: a prefix ends on a segment boundary",
		File:    "authmin/match.go",
		Old:     `strings.CutSuffix(pattern, "*"); ok`,
		New:     `strings.CutSuffix(pattern, "/*"); ok`,
		Package: "./authmin", Tests: "TestMatch",
	},
	{
		Name: "decide/variant-trailing-slash", Control: "auth.md §9.1: a path and the same with a slash at its end are variants",
		File:    "authmin/variant.go",
		Old:     " || key == k.key[:len(k.key)-1]",
		New:     "",
		Package: "./authmin", Tests: "TestStricter",
	},
	{
		Name: "decide/variant-encoded-slash", Control: "auth.md §9.1: variants of both readings of an encoded slash",
		File: "authmin/variant.go",
		Old: `if strings.Contains(path, encodedSlash) {
		readings`,
		New: `if false {
		readings`,
		Package: "./authmin", Tests: "TestStricter",
	},
	{
		Name: "decide/variant-scopes", Control: "auth.md §9.1: a rule with scopes that the deciding one lacks is stricter",
		File:    "authmin/variant.go",
		Old:     "return slices.ContainsFunc(other.Scopes, func(s Scope) bool { return !allows([]Scope{s}, r.Scopes, plainAdmin) })",
		New:     "return false",
		Package: "./authmin", Tests: "TestStricter",
	},
}
