package main

// Limits, lockout, public routes and running requests at the edge: auth.md §4, §5 and §9.2.
var edgeLimits = []Mutant{
	{
		Name: "limit/inflight-panic", Control: "a request that ends by a panic gives its place of inflight back",
		File: "caddymodule/serve.go",
		Old: `	defer s.release()
	s.setIDs(w.Header())
	s.keepCORS()
	o := g.decide(r, s)
	return g.answer(r, next, s, &o)`,
		New: `	s.setIDs(w.Header())
	s.keepCORS()
	o := g.decide(r, s)
	err := g.answer(r, next, s, &o)
	s.release()
	return err`,
		Package: "./caddymodule", Tests: "TestARequestThatEndsByAPanicIsNotInProgress",
	},
	{
		Name: "limit/inflight", Control: "auth.md §5: requests in progress of an identity are bounded",
		File:    "caddymodule/limit.go",
		Old:     "if rule.inflight > 0 && t.inflight[key] >= rule.inflight {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestRequestsInProgressAreCountedUntilTheyEnd",
	},
	{
		Name: "limit/rate", Control: "auth.md §5: the rate of an identity is bounded",
		File:    "caddymodule/limit.go",
		Old:     "if wait := t.spend(key, rule, now); wait > 0 {",
		New:     "if wait := t.spend(key, rule, now); wait < 0 {",
		Package: "./caddymodule", Tests: "TestARateIsSpentAndComesBack",
	},
	{
		Name: "limit/per-identity", Control: "auth.md §5: a limit is of each identity",
		File:    "caddymodule/serve.go",
		Old:     "begin(limitKey{g.limitName, d.Name}, g.limits, s.start)",
		New:     `begin(limitKey{g.limitName, ""}, g.limits, s.start)`,
		Package: "./caddymodule", Tests: "TestLimitsAtTheGate",
	},
	{
		Name: "limit/per-guard", Control: "guards of one name share no limits",
		File:    "caddymodule/guard_nesting.go",
		Old:     `fmt.Sprintf("%s %d %v", name, twins, server.Listen)`,
		New:     `fmt.Sprintf("%s %v", name, server.Listen)`,
		Package: "./caddymodule", Tests: "TestGuardsOfOneNameDoNotShareLimits",
	},
	{
		Name: "lockout/first-after-ban", Control: "auth.md §5: the first failure after a ban is the first",
		File: "caddymodule/limit_lockout.go",
		Old: `	t.watched.Remove(key)
	t.locked.Add`,
		New:     "	t.locked.Add",
		Package: "./caddymodule", Tests: "TestTheFirstFailureAfterABanIsTheFirst",
	},
	{
		Name: "lockout/ban", Control: "auth.md §5: a locked-out client is answered 429",
		File: "caddymodule/limit_lockout.go",
		Old: `if now.Before(until) {
			return lockoutOutcome{locked: true, retry`,
		New: `if false {
			return lockoutOutcome{locked: true, retry`,
		Package: "./caddymodule", Tests: "TestAClientIsLockedOutAfterItsFailuresAndForAsLongAsSaid",
	},
	{
		Name: "lockout/window", Control: "auth.md §5: failures older than the window do not count",
		File:    "caddymodule/limit_lockout.go",
		Old:     "if now.Sub(c.since) > rule.window {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestFailuresOlderThanTheWindowDoNotCount",
	},
	{
		Name: "lockout/evicts-no-ban", Control: "auth.md §5: evicting frees no locked client",
		File:    "caddymodule/limit_lockout.go",
		Old:     "if t.locked.Len() == t.capacity {",
		New:     "if false {",
		Package: "./caddymodule", Tests: "TestAFullTableOfBansEndsNoBan",
	},
	{
		Name: "lockout/evicts-no-count", Control: "auth.md §5: a flood of clients evicts no count within its window",
		File:    "caddymodule/limit_lockout.go",
		Old:     "if t.watched.Len() < t.capacity {",
		New:     "if true {",
		Package: "./caddymodule", Tests: "TestAFloodOfNewClientsEndsNoBan",
	},
	{
		Name: "lockout/ipv6-prefix", Control: "auth.md §5: an IPv6 client is its /64",
		File:    "caddymodule/limit_lockout.go",
		Old:     "const ipv6Bits = 64",
		New:     "const ipv6Bits = 128",
		Package: "./caddymodule", Tests: "TestWhatCountsAsOneClient",
	},
	{
		Name: "lockout/mapped", Control: "auth.md §5: a mapped address is the IPv4 one",
		File:    "caddymodule/limit_lockout.go",
		Old:     `addr = addr.Unmap().WithZone("")`,
		New:     `addr = addr.WithZone("")`,
		Package: "./caddymodule", Tests: "TestWhatCountsAsOneClient",
	},
	{
		Name: "lockout/valid-token", Control: "auth.md §4.4: a valid token is never locked out",
		File:    "caddymodule/serve.go",
		Old:     "case d.BadToken() && g.app.lockout.failures > 0:",
		New:     "case g.app.lockout.failures > 0:",
		Package: "./caddymodule", Tests: "TestLockoutAtTheGate",
	},
	{
		Name: "lockout/forged-address", Control: "auth.md §9.7: the client is no address that it forges",
		File:    "caddymodule/serve_clientaddr.go",
		Old:     "break // the addresses before it may be forged",
		New:     "continue",
		Package: "./caddymodule", Tests: "TestAnUnreadableEndOfTheChainIsThePeer|TestTheClientIsTheLastAddressThatNoProxyHas",
	},
	{
		Name: "lockout/last-hop", Control: "auth.md §9.7: the client is the last address that is no trusted proxy",
		File: "caddymodule/serve_clientaddr.go",
		Old: `		ip = lastForwarded(r, server)
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestForgedAddressesDoNotBypassThePublicLimit",
	},
	{
		Name: "public/per-client", Control: "auth.md §9.2: public requests of one client are bounded",
		File:    "caddymodule/public_limiter.go",
		Old:     "case l.held[client] >= rule.inflight:",
		New:     "case false:",
		Package: "./caddymodule", Tests: "TestPublicRequestsAreBoundedByClientAndInTotal",
	},
	{
		Name: "public/total", Control: "auth.md §9.2: public requests in all are bounded",
		File:    "caddymodule/public_limiter.go",
		Old:     "case l.total >= rule.total:",
		New:     "case false:",
		Package: "./caddymodule", Tests: "TestPublicRequestsAreBoundedByClientAndInTotal",
	},
	{
		Name: "public/queue", Control: "auth.md §9.2: the queue for a slot is bounded",
		File:    "caddymodule/public_limiter.go",
		Old:     "if !wait || full && rule.wait == 0 {",
		New:     "if _ = full; !wait {",
		Package: "./caddymodule", Tests: "TestThePublicQueueIsBounded",
	},
	{
		Name: "public/slot-answer", Control: "auth.md §9.2: a slot is given back when the answer begins, not only with the request",
		File:    "caddymodule/public_slot.go",
		Old:     "s.releaseIf(s.received)",
		New:     "_ = s.received",
		Package: "./caddymodule", Tests: "TestASlotIsReleasedWhenTheAnswerBeginsAndTheBodyHasEnded",
	},
	{
		Name: "public/slot-body", Control: "auth.md §9.2: a slot is held while the body is outstanding",
		File:    "caddymodule/public_slot.go",
		Old:     "s.releaseIf(s.received)",
		New:     "s.releaseIf(true)",
		Package: "./caddymodule", Tests: "TestASlotIsReleasedWhenTheAnswerBeginsAndTheBodyHasEnded",
	},
	{
		Name: "public/slot-body-end", Control: "auth.md §9.2: a slot is given back when the body ends after the answer has begun",
		File:    "caddymodule/public_slot.go",
		Old:     "s.releaseIf(s.answered)",
		New:     "_ = s.answered",
		Package: "./caddymodule", Tests: "TestASlotIsReleasedWhenTheAnswerBeginsAndTheBodyHasEnded",
	},
	{
		Name: "public/slot-request", Control: "a slot is given back at the latest with its request",
		File:    "caddymodule/public_slot.go",
		Old:     "s.releaseIf(true)",
		New:     "_ = true",
		Package: "./caddymodule", Tests: "TestASlotIsReleasedWhenTheAnswerBeginsAndTheBodyHasEnded",
	},
	{
		Name: "public/slot-write", Control: "an answer that begins with its body gives the slot back",
		File: "caddymodule/public_response.go",
		Old: `	s.begin()
	return s.response.Write(p)`,
		New:     "	return s.response.Write(p)",
		Package: "./caddymodule", Tests: "TestEachWayToBeginAnAnswerGivesTheSlotBack",
	},
	{
		Name: "public/slot-read-from", Control: "an answer that is copied gives the slot back",
		File: "caddymodule/public_response.go",
		Old: `	s.begin()
	return s.response.ReadFrom(r)`,
		New:     "	return s.response.ReadFrom(r)",
		Package: "./caddymodule", Tests: "TestEachWayToBeginAnAnswerGivesTheSlotBack",
	},
	{
		Name: "public/slot-flush", Control: "an answer that is flushed gives the slot back",
		File: "caddymodule/public_response.go",
		Old: `	s.begin()
	return s.response.FlushError()`,
		New:     "	return s.response.FlushError()",
		Package: "./caddymodule", Tests: "TestEachWayToBeginAnAnswerGivesTheSlotBack",
	},
	{
		Name: "public/slot-hijack", Control: "a hijacked connection gives the slot back",
		File: "caddymodule/public_response.go",
		Old: `	s.begin()
	return s.response.Hijack()`,
		New:     "	return s.response.Hijack()",
		Package: "./caddymodule", Tests: "TestEachWayToBeginAnAnswerGivesTheSlotBack",
	},
	{
		Name: "public/slot-header", Control: "the header of an answer gives the slot back",
		File:    "caddymodule/public_response.go",
		Old:     "if status >= http.StatusOK || status == http.StatusSwitchingProtocols {",
		New:     "if status == http.StatusSwitchingProtocols {",
		Package: "./caddymodule", Tests: "TestEachWayToBeginAnAnswerGivesTheSlotBack",
	},
	{
		Name: "public/slot-interim", Control: "an interim answer gives no slot back",
		File:    "caddymodule/public_response.go",
		Old:     "if status >= http.StatusOK || status == http.StatusSwitchingProtocols {",
		New:     "if status >= http.StatusContinue {",
		Package: "./caddymodule", Tests: "TestEachWayToBeginAnAnswerGivesTheSlotBack",
	},
	{
		Name: "public/fewest-first", Control: "the client with the fewest slots is served first",
		File:    "caddymodule/public_limiter.go",
		Old:     " && (next < 0 || l.held[w.client] < l.held[l.queue[next].client]) {",
		New:     " && next < 0 {",
		Package: "./caddymodule", Tests: "TestTheClientWithTheFewestSlotsIsServedFirst",
	},
	{
		Name: "live/http2-blocked", Control: "auth.md §4: revocation ends an HTTP/2 stream whose client does not read",
		File: "caddymodule/live.go",
		Old: `	_ = rc.SetWriteDeadline(past)
`,
		New: `	if _, ok := innermost(q.writer).(http.Hijacker); ok { // HTTP/1 alone
		_ = rc.SetWriteDeadline(past)
	}
`,
		Package: "./caddymodule", Tests: "TestAnHTTP2ClientThatDoesNotReadIsTerminatedToo",
	},
	{
		Name: "live/http1-blocked", Control: "auth.md §4: revocation ends a write that waits for its client",
		File: "caddymodule/live.go",
		Old: `	_ = rc.SetWriteDeadline(past)
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestAClientThatDoesNotReadIsTerminatedToo|TestAnHTTP2ClientThatDoesNotReadIsTerminatedToo",
	},
	{
		Name: "live/websocket", Control: "auth.md §4: revocation closes a WebSocket whose peer is silent",
		File: "caddymodule/live.go",
		Old: `		_ = q.conn.Close()
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestAWebSocketWhoseClientIsSilentIsClosed",
	},
	{
		Name: "live/cancel", Control: "auth.md §4: revocation ends the request to the upstream",
		File: "caddymodule/live.go",
		Old: `	q.cancel(errTokenInvalid)
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestStreamsEndWithTheirTokenAndNoOthers|TestATerminatedUploadIsNotCompletedForTheUpstream",
	},
	{
		Name: "live/scope", Control: "auth.md §4: a stream ends when its token loses the scope",
		File:    "caddymodule/live.go",
		Old:     "case !q.policy.Allows(token.Scopes, q.rule):",
		New:     "case false:",
		Package: "./caddymodule", Tests: "TestAStreamEndsWhenItsTokenExpiresOrLosesTheScope",
	},
	{
		Name: "live/models", Control: "auth.md §10: a stream ends when the list of its token shrinks",
		File:    "caddymodule/live.go",
		Old:     "q.list != nil && !token.Models.Covers(q.list),",
		New:     "false,",
		Package: "./caddymodule", Tests: "TestAStreamEndsWhenTheListOfItsTokenShrinks",
	},
	{
		Name: "live/late-body", Control: "auth.md §10: a token is judged again when the body is there",
		File: "caddymodule/models_check.go",
		Old: `	s.live.models = names
	return g.judgeAgain(s, d)`,
		New: `	s.live.models = names
	return refusal{}`,
		Package: "./caddymodule", Tests: "TestATokenIsJudgedAgainWhenItsBodyIsThere",
	},
	{
		Name: "live/audited", Control: "auth.md §4: a terminated stream is audited",
		File: "caddymodule/serve.go",
		Old: `			g.app.audit.streamTerminated(g.Name, d, why, s.id, s.sent.Load(), time.Since(s.start))
`,
		New:     "",
		Package: "./caddymodule", Tests: "TestStreamsEndWithTheirTokenAndNoOthers",
	},
}
