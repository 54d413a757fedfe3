package main

// What a node may say and gets: api.md, nodes.

var orchestratorNodes = []Mutant{
	{
		Name: "orchestrator/node/address-with-a-path", Control: "api.md nodes: scheme, host and port alone",
		File: "orchestrator/node_address.go", Package: "./orchestrator", Tests: "TestACredentialOnlyGoesWhereTheOperatorAllows",
		Old: `	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || (u.Path != "" && u.Path != "/"):`,
		New: `	case false && (u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || (u.Path != "" && u.Path != "/")):`,
	},
	{
		Name: "orchestrator/node/address-with-a-zone", Control: "api.md nodes: refused address",
		File: "orchestrator/node_address.go", Package: "./orchestrator", Tests: "TestACredentialOnlyGoesWhereTheOperatorAllows",
		Old: `		if ip.Zone() != "" {`,
		New: `		if false && (ip.Zone() != "") {`,
	},
	{
		Name: "orchestrator/node/outside-networks", Control: "api.md nodes: it must resolve into node_networks",
		File: "orchestrator/node_address.go", Package: "./orchestrator", Tests: "TestACredentialOnlyGoesWhereTheOperatorAllows",
		Old: "\t\tif !a.allowed(ips[i]) {",
		New: "\t\tif false && (!a.allowed(ips[i])) {",
	},
	{
		Name: "orchestrator/node/plain-http", Control: "api.md nodes: https, or http on loopback",
		File: "orchestrator/node_address.go", Package: "./orchestrator", Tests: "TestACredentialOnlyGoesWhereTheOperatorAllows",
		Old: `		if u.Scheme == "http" && !ips[i].IsLoopback() {`,
		New: `		if false && (u.Scheme == "http" && !ips[i].IsLoopback()) {`,
	},
	{
		Name: "orchestrator/node/former-owners-report", Control: "api.md nodes: a node_id belongs to one identity",
		File: "orchestrator/node_apply.go", Package: "./orchestrator", Tests: "TestAFormerOwnersReportIsIgnored",
		Old: "\treturn known && !said.Removed && said.Owner != owner",
		New: "\treturn false && (known && !said.Removed && said.Owner != owner)",
	},
	{
		Name: "orchestrator/node/hold-bound", Control: "Prefer: wait is bounded by maxHeartbeatHold",
		File: "orchestrator/node_hold.go", Package: "./orchestrator", Tests: "TestAHoldIsBounded",
		Old: "\ttimer := time.NewTimer(min(wait, maxHeartbeatHold))",
		New: `	if false {
		wait = min(wait, maxHeartbeatHold)
	}
	timer := time.NewTimer(wait)`,
	},
	{
		Name: "orchestrator/node/owner", Control: "api.md nodes: 403 when another credential owns node_id",
		File: "orchestrator/node_owner.go", Package: "./orchestrator", Tests: "TestANodeBelongsToItsFirstRegistrant",
		Old: "\tif owner == who.Identity {",
		New: "\tif owner == who.Identity || true {",
	},
	{
		Name: "orchestrator/node/models-of-an-identity", Control: "api.md nodes: node_models",
		File: "orchestrator/node_record.go", Package: "./orchestrator", Tests: "TestANodeOffersOnlyTheModelsThatItsIdentityMay",
		Old: `	if len(ns.grants) == 0 {
		return models
	}`,
		New: `	if len(ns.grants) == 0 || true {
		return models
	}`,
	},
	{
		Name: "orchestrator/node/kept-without-token", Control: "api.md nodes: a node's token is held in memory only",
		File: "orchestrator/node_kept.go", Package: "./orchestrator", Tests: "TestANodesTokenIsNeverShown",
		Old: "\t\t\tVersion: n.info.Version, Capabilities: n.info.Capabilities, Pools: stablePools(n.info.Pools),",
		New: "\t\t\tVersion: n.said.Token, Capabilities: n.info.Capabilities, Pools: stablePools(n.info.Pools),",
	},
	{
		Name: "orchestrator/node/address-of-another-replica", Control: "api.md nodes: an address is checked where it is used",
		File: "orchestrator/node_apply.go", Package: "./orchestrator", Tests: "TestAReplicaUsesNoAddressThatItsOwnOperatorForbids",
		Old: "\tif !ns.address.admits(to) {",
		New: "\tif false && (!ns.address.admits(to)) {",
	},
	{
		Name: "orchestrator/node/figure", Control: "a node's figures are bounded",
		File: "orchestrator/printable.go", Package: "./orchestrator", Tests: "TestFiguresOfANodeAreBounded",
		Old: "func figure[N int | int64](n N) N { return min(max(n, 0), N(maxFigure)) }",
		New: `func figure[N int | int64](n N) N {
	if true {
		return max(n, 0)
	}
	return min(max(n, 0), N(maxFigure))
}`,
	},
	{
		Name: "orchestrator/node/client-redirect", Control: "api.md nodes: redirects are not followed",
		File: "orchestrator/node_address.go", Package: "./orchestrator", Tests: "TestTheClientOfANodeFollowsNothing",
		Old: `		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{`,
		New: "\t\tTransport: &http.Transport{",
	},
	{
		Name: "orchestrator/node/pinned-address", Control: "api.md nodes: the address is checked after resolving and pinned for the connection",
		File: "orchestrator/node_address.go", Package: "./orchestrator", Tests: "TestTheConnectionGoesToTheCheckedAddress",
		Old: `			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp", t.pin.String())
			},`,
		New: "\t\t\tDialContext: dialer.DialContext,",
	},
	{
		Name: "orchestrator/node/shared-token", Control: "api.md nodes: the shared token goes to node_addresses alone",
		File: "orchestrator/node_owner.go", Package: "./orchestrator", Tests: "TestTheSharedTokenGoesOnlyToNamedAddresses",
		Old: "\tif slices.Contains(ns.fallbacks, base) && ns.fallback",
		New: "\tif (slices.Contains(ns.fallbacks, base) || true) && ns.fallback",
	},
	{
		Name: "orchestrator/node/printable", Control: "a node's words are printable",
		File: "orchestrator/printable.go", Package: "./orchestrator", Tests: "TestWhatANodeSaysInErrorsIsBoundedAndPrintable",
		Old: "\t\tcase r == utf8.RuneError, !unicode.IsPrint(r):",
		New: "\t\tcase false && (r == utf8.RuneError), false && (!unicode.IsPrint(r)):",
	},
}
