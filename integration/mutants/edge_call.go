package main

// Budgets, records and logs at the edge: auth.md §6, §9.4, §9.8 and §12.
var edgeCall = []Mutant{
	{
		Name: "call/budget-spent", Control: "auth.md §12: a spent budget is 429",
		File:    "caddymodule/budget_check.go",
		Old:     "if spent, ok := errors.AsType[*budget.SpentError](err); ok {",
		New:     "if spent, ok := errors.AsType[*budget.SpentError](err); ok && false {",
		Package: "./caddymodule", Tests: "TestABudgetOfRequestsIsNeverOverrun|TestASpentBudgetIsToldInTheShapeOfEachSDK",
	},
	{
		Name: "call/upgrade-uncounted", Control: "an upgrade of an identity with a budget of tokens is refused",
		File:    "caddymodule/budget_check.go",
		Old:     `if _, upgrade := r.Header["Upgrade"]; upgrade { // what is said after it cannot be counted`,
		New:     "if false { // what is said after it cannot be counted",
		Package: "./caddymodule", Tests: "TestAnUpgradeIsNotCountedAndRefused",
	},
	{
		Name: "call/limit-range", Control: "auth.md §12: a limit that is no integer from 1 to 2^31 is 400",
		File: "caddymodule/budget_limits.go",
		Old: `if !whole || value < 1 || value > largestInLimit {
				return invalidLimit`,
		New: `if false {
				return invalidLimit`,
		Package: "./caddymodule", Tests: "TestEveryAnswerTellsWhatIsLeft",
	},
	{
		Name: "call/upstream-fields", Control: "auth.md §12: an upstream's RateLimit fields are removed",
		File: "caddymodule/budget_fields.go",
		Old: `			delete(h, name)
`,
		New: `			_ = name
`,
		Package: "./caddymodule", Tests: "TestTheFieldsOfAnUpstreamAreRemoved",
	},
	{
		Name: "call/fields-left", Control: "auth.md §12: RateLimit says what is left, not what the limit is",
		File:    "caddymodule/budget_fields.go",
		Old:     "`\";r=`+strconv.FormatInt(q.left, 10)",
		New:     "`\";r=`+strconv.FormatInt(q.limit, 10)",
		Package: "./caddymodule", Tests: "TestTheFieldsOfAnUpstreamAreRemoved",
	},
	{
		Name: "call/fields-least", Control: "auth.md §12: of several budgets the fields of OpenAI are those of the one with the least left",
		File:    "caddymodule/budget_fields.go",
		Old:     "if *least == nil || q.left < (*least).left {",
		New:     "if *least == nil {",
		Package: "./caddymodule", Tests: "TestTheFieldsOfAnUpstreamAreRemoved",
	},
	{
		Name: "call/fields-limit", Control: "auth.md §12: RateLimit of a limit says what is left of it",
		File:    "caddymodule/budget_fields.go",
		Old:     "quota{int64(g.limits.requests), left, reset}",
		New:     "quota{int64(g.limits.requests), int64(g.limits.requests), reset}",
		Package: "./caddymodule", Tests: "TestTheFieldsOfAnUpstreamAreRemoved",
	},
	{
		Name: "call/fields-of-refusals", Control: "auth.md §12: refusals carry the fields as well",
		File: "caddymodule/serve.go",
		Old: `	g.showLeft(s, &o.Decision)
	authmin.WriteProblemAs`,
		New:     "	authmin.WriteProblemAs",
		Package: "./caddymodule", Tests: "TestEveryAnswerTellsWhatIsLeft",
	},
	{
		Name: "call/fields-of-strangers", Control: "an invalid token is not told what is left",
		File:    "caddymodule/budget_fields.go",
		Old:     `if d.Name == "" || d.Public || d.BadToken() {`,
		New:     "if d.Public {",
		Package: "./caddymodule", Tests: "TestEveryAnswerTellsWhatIsLeft",
	},
	{
		Name: "call/me-left", Control: "/_llorch/me says nothing to be left of no rate",
		File:    "caddymodule/me.go",
		Old:     "if g.limits.requests > 0 {",
		New:     "if true {",
		Package: "./caddymodule", Tests: "TestNothingIsSaidToBeLeftOfNoRate",
	},
	{
		Name: "call/me-left-there", Control: "/_llorch/me says what is left of a rate",
		File:    "caddymodule/me.go",
		Old:     "answer.Limit.Left = &left",
		New:     "_ = left",
		Package: "./caddymodule", Tests: "TestNothingIsSaidToBeLeftOfNoRate",
	},
	{
		Name: "call/me-token", Control: "/_llorch/me wants a valid token",
		File: "caddymodule/serve.go",
		Old:  "return g.decider.Identify(facts, s.start)",
		New: `d := g.decider.Identify(facts, s.start)
		d.Allow, d.Problem, d.Reason = true, nil, authmin.ReasonNone
		return d`,
		Package: "./caddymodule", Tests: "TestACallerSeesItself",
	},
	{
		Name: "call/me-shadow", Control: "a shadow guard forwards /_llorch/me",
		File:    "caddymodule/me.go",
		Old:     "(method == http.MethodGet || method == http.MethodHead) && !g.Shadow",
		New:     "(method == http.MethodGet || method == http.MethodHead)",
		Package: "./caddymodule", Tests: "TestAShadowGuardForwardsMe",
	},
	{
		Name: "call/alert-unwritable", Control: "cause of LlorchBudgetsUnavailable: a journal that cannot be written is counted",
		File:    "caddymodule/budget_state.go",
		Old:     "if !ledger.IsWritable() {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestTheStateOfBudgetsIsAMetric",
	},
	{
		Name: "call/alert-unavailable", Control: "cause of LlorchBudgetsUnavailable: a request that could not be counted is counted",
		File: "caddymodule/budget_check.go",
		Old: `	if err != nil {
		g.budgetMetrics.unavailable.Inc()
	}
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestCountsThatCannotBeWrittenRefuse",
	},
	{
		Name: "call/alert-refused", Control: "cause of LlorchBudgetRefusals: a refusal by a spent budget is counted",
		File: "caddymodule/budget_check.go",
		Old: `		g.budgetMetrics.refuse(d.Name, spent.Claim.Budget.Unit, true)
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestABudgetOfRequestsIsNeverOverrun",
	},
	{
		Name: "call/alert-shadow", Control: "a budget that only counts is in no alert",
		File:    "caddymodule/budget_state.go",
		Old:     "if !count.Shadow {",
		New:     "if true {",
		Package: "./caddymodule", Tests: "TestTheStateOfBudgetsIsAMetric",
	},
	{
		Name: "call/redact-peer", Control: "no log of the edge shows what an upstream sends",
		File: "caddymodule/log_shield.go",
		Old: `	text = authmin.RedactPeer(text)
`,
		New: `	_ = authmin.RedactPeer(text)
`,
		Package: "./caddymodule", Tests: "TestNoLogShowsWhatAnUpstreamSends",
	},
	{
		Name: "call/redact-tokens", Control: "auth.md §9.4: no log of the process holds a token",
		File:    "caddymodule/log_shield.go",
		Old:     "return leaks.RedactLine(text)",
		New:     "return text",
		Package: "./caddymodule", Tests: "TestNoLogOfTheProcessHoldsAToken|TestTheStandardLogHoldsNoToken",
	},
	{
		Name: "call/required-sink", Control: "auth.md §6: a request that no required sink has is refused",
		File: "caddymodule/serve.go",
		Old: `		o.apply(refusal{reasonAudit, &problemNoAudit, trail.Timeout})
`,
		New: `		_ = refusal{reasonAudit, &problemNoAudit, trail.Timeout}
`,
		Package: "./caddymodule", Tests: "TestARequestIsForwardedOnlyWithARecord",
	},
	{
		Name: "call/aggregated", Control: "auth.md §9.8: refusals beyond 20 a minute share a record",
		File:    "caddymodule/audit_refusals.go",
		Old:     "if r.count > each {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestRefusalsBeyondTwentyAMinuteAreCounted",
	},
	{
		Name: "call/known-token-hidden", Control: "auth.md §9.8: a flood does not hide the use of a known token",
		File:    "caddymodule/audit_refusals.go",
		Old:     "key := refusalKey{client: clientKey(s.clientAddr()), token: d.token}",
		New:     "key := refusalKey{client: clientKey(s.clientAddr())}",
		Package: "./caddymodule", Tests: "TestAFloodDoesNotHideAKnownToken",
	},
	{
		Name: "call/admin-socket", Control: "the admin API of authmin is on Unix sockets only",
		File:    "caddymodule/admin_api.go",
		Old:     `if local == nil || local.Network() != "unix" {`,
		New:     "if local == nil {",
		Package: "./caddymodule", Tests: "TestTheAdminAPIIsOffAndOnUnixSocketsOnly",
	},
	{
		Name: "call/admin-off", Control: "admin_api off",
		File:    "caddymodule/admin_api.go",
		Old:     "|| app.AdminAPI != nil && !*app.AdminAPI {",
		New:     "{",
		Package: "./caddymodule", Tests: "TestTheAdminAPIIsOffAndOnUnixSocketsOnly",
	},
}
