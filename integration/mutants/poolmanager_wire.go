package main

// What travels between orchestrator and node: packages nodeapi and modelref.

var poolmanagerWire = []Mutant{
	{
		Name: "modelref/source/credential", Control: "a source is shown and logged: no user, no query",
		File: "poolmanager/modelref/source.go", Package: "./orchestrator", Tests: "TestModelIDsAndSourcesAreNoPaths",
		Old: `	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {`,
		New: `	if false && (u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "") {`,
	},
	{
		Name: "modelref/source/local", Control: "a source is below the model root",
		File: "poolmanager/modelref/source.go", Package: "./orchestrator", Tests: "TestModelIDsAndSourcesAreNoPaths",
		Old: "\t\tif !filepath.IsLocal(name) || filepath.Clean(name) != name ||",
		New: "\t\tif false && (!filepath.IsLocal(name) || filepath.Clean(name) != name) ||",
	},
	{
		Name: "nodeapi/client/query-in-an-error", Control: "an error does not repeat the query",
		File: "poolmanager/nodeapi/client.go", Package: "./poolmanager", Tests: "TestAFailureDoesNotRepeatTheQuery",
		Old: `	bare.URL, _, _ = strings.Cut(bare.URL, "?")`,
		New: `	if false {
		bare.URL, _, _ = strings.Cut(bare.URL, "?")
	}`,
	},
	{
		Name: "modelref/dialer/pinned", Control: "the address that was checked is the one that is dialled",
		File: "poolmanager/modelref/dialer.go", Package: "./poolmanager/modelref", Tests: "TestANameIsResolvedOnce",
		Old: "\tif known, ok := d.found[host]; ok {",
		New: "\tif known, ok := d.found[host]; false && (ok) {",
	},
	{
		Name: "modelref/client/redirect", Control: "api.md preload: redirects lead to listed hosts only",
		File: "poolmanager/modelref/client.go", Package: "./poolmanager/modelref", Tests: "TestARedirectLeadsToListedHostsOnlyAndThreeTimesAtMost",
		Old: "len(via) > maxRedirects || !o.Hosts.Allow(r.URL) {",
		New: "len(via) > maxRedirects || false && (!o.Hosts.Allow(r.URL)) {",
	},
	{
		Name: "modelref/client/redirects", Control: "three redirects",
		File: "poolmanager/modelref/client.go", Package: "./poolmanager/modelref", Tests: "TestARedirectLeadsToListedHostsOnlyAndThreeTimesAtMost",
		Old: "\t\t\tif len(via) > maxRedirects ||",
		New: "\t\t\tif false && (len(via) > maxRedirects) ||",
	},
	{
		Name: "modelref/address/link-local", Control: "the cloud's metadata",
		File: "poolmanager/modelref/address.go", Package: "./poolmanager/modelref", Tests: "TestAddressesThatANameMayResolveTo",
		Old: "a.IsMulticast() || a.IsLinkLocalUnicast() {",
		New: "a.IsMulticast() || false && (a.IsLinkLocalUnicast()) {",
	},
	{
		Name: "modelref/address/nat64", Control: "IPv6 that stands for IPv4",
		File: "poolmanager/modelref/address.go", Package: "./poolmanager/modelref", Tests: "TestAddressesThatANameMayResolveTo",
		Old: "\tif nat64.Contains(a) {",
		New: "\tif false && (nat64.Contains(a)) {",
	},
	{
		Name: "modelref/dialer/address", Control: "api.md preload: a name cannot lead to this machine or its cloud's metadata",
		File: "poolmanager/modelref/dialer.go", Package: "./poolmanager/modelref", Tests: "TestAddressesThatANameMayResolveTo",
		Old: "\t\tif !allowed {",
		New: "\t\tif false && (!allowed) {",
	},
	{
		Name: "modelref/hosts/plain-http", Control: "plain http on loopback only",
		File: "poolmanager/modelref/hosts.go", Package: "./poolmanager/modelref", Tests: "TestModelHostsAreFullNames",
		Old: "name := (&url.URL{Host: host}).Hostname(); plain && !loopbackSpelling(name) {",
		New: "name := (&url.URL{Host: host}).Hostname(); false && (plain && !loopbackSpelling(name)) {",
	},
	{
		Name: "nodeapi/call/listed-headers", Control: "clients.md request: cookies and identity headers never travel",
		File: "poolmanager/nodeapi/call.go", Package: "./poolmanager/nodeapi", Tests: "TestACallSendsTheBodyAsItIsAndReadsFrames",
		Old: "\t\tif TravelsWithCall(name) {",
		New: "\t\tif TravelsWithCall(name) || true {",
	},
	{
		Name: "nodeapi/call/content-type", Control: "what is no stream of frames is refused",
		File: "poolmanager/nodeapi/call.go", Package: "./poolmanager/nodeapi", Tests: "TestACallStreamThatIsNotWholeIsAnError",
		Old: "err != nil || kind != CallContentType {",
		New: "err != nil || false && (kind != CallContentType) {",
	},
	{
		Name: "nodeapi/call/frame-size", Control: "a frame is bounded",
		File: "poolmanager/nodeapi/frame.go", Package: "./poolmanager/nodeapi", Tests: "TestACallStreamThatIsNotWholeIsAnError",
		Old: `	if size > MaxFrameBytes {
		return Frame{}, fmt.Errorf("%w: a frame of`,
		New: `	if false && (size > MaxFrameBytes) {
		return Frame{}, fmt.Errorf("%w: a frame of`,
	},
	{
		Name: "nodeapi/client/pool-id", Control: "api.md pools: a pool id is one path segment",
		File: "poolmanager/nodeapi/client.go", Package: "./poolmanager/nodeapi", Tests: "TestAPoolIDIsOneHarmlessPathSegment",
		Old: "\tif !ValidPoolID(poolID) {",
		New: "\tif false && (!ValidPoolID(poolID)) {",
	},
	{
		Name: "nodeapi/query/control", Control: "clients.md request: a query with one reading",
		File: "poolmanager/nodeapi/query.go", Package: "./poolmanager/nodeapi", Tests: "TestAQueryIsReadInOneWay",
		Old: "\t\t\tif !utf8.ValidString(part) || strings.ContainsFunc(part, unicode.IsControl) {",
		New: "\t\t\tif false && (!utf8.ValidString(part) || strings.ContainsFunc(part, unicode.IsControl)) {",
	},
	{
		Name: "nodeapi/query/escapes", Control: "clients.md request: a query with one reading",
		File: "poolmanager/nodeapi/query.go", Package: "./poolmanager/nodeapi", Tests: "TestAQueryIsReadInOneWay",
		Old: "\t\tif !inQuery(text[i]) {",
		New: "\t\tif false && (!inQuery(text[i])) {",
	},
	{
		Name: "nodeapi/client/redirect", Control: "api.md nodes: redirects are not followed",
		File: "poolmanager/nodeapi/client.go", Package: "./poolmanager/nodeapi", Tests: "TestARedirectIsNotFollowed",
		Old: "\tcopied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }",
		New: `	if false {
		copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}`,
	},
	{
		Name: "nodeapi/client/words-of-a-peer", Control: "errors of a stream have no words of the peer",
		File: "poolmanager/nodeapi/connection.go", Package: "./poolmanager/nodeapi", Tests: "TestAnErrorOfARequestIsLoggedWithoutWordsOfThePeer",
		Old: `	if ConnectionText(err) == "" && !errors.Is(err, context.Canceled) {`,
		New: `	if false && (ConnectionText(err) == "" && !errors.Is(err, context.Canceled)) {`,
	},
	{
		Name: "nodeapi/call/credentials-stay", Control: "clients.md request: credentials never travel",
		File: "poolmanager/nodeapi/call.go", Package: "./poolmanager/nodeapi", Tests: "TestNoCredentialTravels",
		Old: `strings.HasPrefix(name, "openai-")) && !NamesCredential(name)`,
		New: `strings.HasPrefix(name, "openai-")) && (true || (!NamesCredential(name)))`,
	},
	{
		Name: "nodeapi/call/places", Control: "clients.md request: the places are within the body and in order",
		File: "poolmanager/nodeapi/call.go", Package: "./poolmanager/nodeapi", Tests: "TestPlacesAreInTheBodyAndInOrder",
		Old: "\tif !inside || !apart || !before {",
		New: "\tif false && (!inside || !apart || !before) {",
	},
	{
		Name: "nodeapi/orchestrator/certificate", Control: "api.md nodes: https, with the certificate checked",
		File: "poolmanager/nodeapi/orchestrator.go", Package: "./poolmanager/nodeapi", Tests: "TestTheOrchestratorsCertificateIsVerified",
		Old: "&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities}",
		New: "&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities, InsecureSkipVerify: true}",
	},
	{
		Name: "nodeapi/orchestrator/redirect", Control: "clients.md: the node's token follows no redirect",
		File: "poolmanager/nodeapi/orchestrator.go", Package: "./poolmanager/nodeapi", Tests: "TestTheOrchestratorsRedirectsAreNotFollowed",
		Old: `	return &Orchestrator{base: strings.TrimRight(base, "/"), token: token, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },`,
		New: `	return &Orchestrator{base: strings.TrimRight(base, "/"), token: token, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error {
			if true {
				return nil
			}
			return http.ErrUseLastResponse
		},`,
	},
}
