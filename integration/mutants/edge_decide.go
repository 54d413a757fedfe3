package main

// What package authmin decides on one request: auth.md §4 and §9.

const (
	authminPackage = "./authmin"
	decideFile     = "authmin/decide.go"
	matchFile      = "authmin/match.go"
)

var edgeDecide = []Mutant{
	{
		Name: "decide/deny-head", Control: "auth.md §3: a deny rule without methods is one for HEAD as well",
		File: matchFile, Old: "if r.hasMethod(method) && matchAny(r.Paths, path) {",
		New:     "if r.hasMethod(method) && matchAny(r.Paths, path) && !(method == \"HEAD\" && r.Action == ActionDeny) {",
		Package: authminPackage, Tests: "TestARuleWithoutMethodsIsOneForAll",
	},
	{
		Name: "decide/connect-and-trace", Control: "auth.md §4.2: CONNECT and TRACE are refused",
		File: decideFile, Old: "case r.Method == http.MethodConnect || r.Method == http.MethodTrace:", New: "case false:",
		Package: authminPackage, Tests: "TestDecide",
	},
	{
		Name: "decide/lower-case-method", Control: "a method in lower case, which no rule for a method matches, is refused",
		File: decideFile, Old: "case strings.ContainsFunc(r.Method, isLower):", New: "case false && strings.ContainsFunc(r.Method, isLower):",
		Package: authminPackage, Tests: "TestDecide",
	},
	{
		Name: "decide/h2c", Control: "auth.md §4.2: Upgrade: h2c is refused",
		File: decideFile, Old: "case wantsH2C(r.Header):", New: "case false:",
		Package: authminPackage, Tests: "TestDecide",
	},
	{
		Name: "decide/content-length", Control: "RFC 9113 §8.1.1: an invalid Content-Length is refused",
		File: decideFile, Old: `case !isLength(r.Header["Content-Length"]):`, New: "case false:",
		Package: authminPackage, Tests: "TestDecide",
	},
	{
		Name: "decide/host", Control: "auth.md §4.2: an empty or invalid Host is refused",
		File: decideFile, Old: "case !IsHost(r.Host):", New: "case false:",
		Package: authminPackage, Tests: "TestDecide",
	},
	{
		Name: "decide/target", Control: "auth.md §3: a path that can be read in two ways is refused",
		File: decideFile, Old: "if d.Path, err = CheckTarget(r.Target); err == nil {\n\t\td.Rule",
		New:     "if d.Path, err = CheckTarget(r.Target); err != nil {\n\t\td.Path, err = r.Target, nil\n\t}\n\t{\n\t\td.Rule",
		Package: authminPackage, Tests: "TestDecide",
	},
	{
		Name: "decide/variant-of-public", Control: "auth.md §9.1: a variant of a stricter rule's path is refused on a public route",
		File: decideFile, Old: "\t\tif variant {\n\t\t\td.refuse(ReasonPath, &ProblemVariant)\n\t\t\treturn d\n\t\t}\n", New: "",
		Package: authminPackage, Tests: "TestVariantsOfAStricterRuleAreRefused",
	},
	{
		Name: "decide/variant-of-require", Control: "auth.md §9.1: a variant of a stricter rule's path is refused with a token",
		File: decideFile, Old: "\tcase variant:\n\t\td.refuse(ReasonPath, &ProblemVariant)\n", New: "",
		Package: authminPackage, Tests: "TestVariantsOfAStricterRuleAreRefused",
	},
	{
		Name: "decide/deny", Control: "auth.md §3: deny, and what no rule matches, is refused with a token too",
		File: decideFile, Old: "case rule.Action != ActionRequire:", New: "case false:",
		Package: authminPackage, Tests: "TestDecide",
	},
	{
		Name: "decide/scope", Control: "auth.md §3: a token without the rule's scopes is refused",
		File: decideFile, Old: "case !allows(d.Scopes, rule.Scopes, g.Policy.plainAdmin):", New: "case false:",
		Package: authminPackage, Tests: "TestDecide",
	},
}
