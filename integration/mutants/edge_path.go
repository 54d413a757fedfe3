package main

// How package authmin reads a path, and when a request comes from this machine: auth.md §1,
// §3 and §4.
var edgePath = []Mutant{
	{
		Name: "path/longest", Control: "a target over 16 KiB is refused",
		File:    "authmin/path.go",
		Old:     "if len(target) > MaxTarget {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestCheckTargetRefuses",
	},
	{
		Name: "path/origin-form", Control: "RFC 9112 §3.2.1: only origin form",
		File:    "authmin/path.go",
		Old:     `if target == "" || target[0] != '/' {`,
		New:     `if target == "" {`,
		Package: "./authmin", Tests: "TestCheckTargetRefuses",
	},
	{
		Name: "path/query-bytes", Control: "control bytes and # in the query are refused",
		File:    "authmin/path.go",
		Old:     "c <= ' ' || c == 0x7f || c == '#'",
		New:     "c == 0",
		Package: "./authmin", Tests: "TestCheckTargetRefuses",
	},
	{
		Name: "path/bytes", Control: "bytes that a proxy would encode are refused",
		File:    "authmin/path.go",
		Old:     "case !pathBytes[c]:",
		New:     "case false:",
		Package: "./authmin", Tests: "TestCheckTargetRefuses|TestEveryByteOfAPath",
	},
	{
		Name: "path/encoded-delimiter", Control: `auth.md §3: encoded \ . ; and % are refused`,
		File:    "authmin/path.go",
		Old:     `case '\\', '.', ';', '%':`,
		New:     `case '\\', ';', '%':`,
		Package: "./authmin", Tests: "TestCheckTargetRefuses",
	},
	{
		Name: "path/encoded-percent", Control: "auth.md §3: an encoded percent sign, which begins a second decoding, is refused",
		File:    "authmin/path.go",
		Old:     `case '\\', '.', ';', '%':`,
		New:     `case '\\', '.', ';':`,
		Package: "./authmin", Tests: "TestCheckTargetRefuses",
	},
	{
		Name: "path/invalid-escape", Control: "auth.md §3: an invalid escape is refused",
		File:    "authmin/path.go",
		Old:     "if high < 0 || low < 0 {",
		New:     "if high < 0 && low < 0 {",
		Package: "./authmin", Tests: "TestCheckTargetRefuses",
	},
	{
		Name: "path/utf-8", Control: "auth.md §3: overlong and invalid UTF-8 is refused",
		File:    "authmin/path.go",
		Old:     "if !utf8.ValidString(path) {",
		New:     "if false && !utf8.ValidString(path) {",
		Package: "./authmin", Tests: "TestCheckTargetRefuses",
	},
	{
		Name: "path/control", Control: "auth.md §3: encoded control characters are refused",
		File:    "authmin/path.go",
		Old:     "if strings.ContainsFunc(path, unicode.IsControl) {",
		New:     "if false && strings.ContainsFunc(path, unicode.IsControl) {",
		Package: "./authmin", Tests: "TestCheckTargetRefuses",
	},
	{
		Name: "path/normalisation", Control: "auth.md §9.1: a path whose key has a new delimiter is refused",
		File:    "authmin/path.go",
		Old:     "if _, ok := PathKey(path); !ok {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestCheckTargetRefuses|TestCharactersThatBecomeDelimiters",
	},
	{
		Name: "path/empty-segment", Control: "auth.md §3: // is refused",
		File: "authmin/path.go",
		Old: `		case "":
			return ambiguous("an empty segment")
`,
		New:     "",
		Package: "./authmin", Tests: "TestCheckTargetRefuses",
	},
	{
		Name: "path/dot-segment", Control: "auth.md §3: . and .. are refused",
		File:    "authmin/path.go",
		Old:     `case ".", "..":`,
		New:     `case ".":`,
		Package: "./authmin", Tests: "TestCheckTargetRefuses",
	},
	{
		Name: "path/dot-segment-encoded-slash", Control: "a dot segment between encoded slashes is refused",
		File:    "authmin/path.go",
		Old:     "i >= 0 && (end < 0 || i < end) {",
		New:     "i >= 0 && false {",
		Package: "./authmin", Tests: "TestCheckTargetRefuses",
	},
	{
		Name: "bypass/listener", Control: "auth.md §4.5: the bypass needs a loopback listener",
		File:    "authmin/bypass.go",
		Old:     "if !l.Loopback || !fromThisMachine(l, r.Peer) {",
		New:     "if !fromThisMachine(l, r.Peer) {",
		Package: "./authmin", Tests: "TestBypassNeedsEveryCondition",
	},
	{
		Name: "bypass/peer", Control: "auth.md §4.5: the bypass needs a loopback peer",
		File:    "authmin/bypass.go",
		Old:     "if !l.Loopback || !fromThisMachine(l, r.Peer) {",
		New:     "if !l.Loopback {",
		Package: "./authmin", Tests: "TestBypassNeedsEveryCondition",
	},
	{
		Name: "bypass/forwarding", Control: "auth.md §4.5: a forwarding header ends the bypass",
		File:    "authmin/bypass.go",
		Old:     "if HasForwardingHeader(r.Header) {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestBypassNeedsEveryCondition",
	},
	{
		Name: "bypass/host", Control: "auth.md §4.5: a foreign Host ends the bypass",
		File:    "authmin/bypass.go",
		Old:     "if !isLocalHost(l, r.Host) {",
		New:     "if false {",
		Package: "./authmin", Tests: "TestBypassNeedsEveryCondition",
	},
	{
		Name: "bypass/port", Control: "auth.md §4.5: Host has the listener's own port",
		File:    "authmin/bypass.go",
		Old:     `if l.Port != "" && port != l.Port {`,
		New:     "if false && port != l.Port {",
		Package: "./authmin", Tests: "TestBypassNeedsEveryCondition|TestLocalHostIsExact",
	},
	{
		Name: "bypass/origin", Control: "auth.md §4.5: a foreign Origin ends the bypass",
		File:    "authmin/bypass.go",
		Old:     "return len(origins) == 1 && strings.ToLower(origins[0]) == own",
		New:     "return len(origins) > 0",
		Package: "./authmin", Tests: "TestBypassNeedsEveryCondition",
	},
	{
		Name: "bypass/referer", Control: "auth.md §4.5: without Origin a foreign Referer ends the bypass",
		File:    "authmin/bypass.go",
		Old:     "return len(pages) == 1 && originOf(pages[0]) == own",
		New:     "return len(pages) > 0",
		Package: "./authmin", Tests: "TestBypassNeedsEveryCondition",
	},
	{
		Name: "bypass/fetch-site", Control: "auth.md §4.5: Sec-Fetch-Site of another site ends the bypass",
		File:    "authmin/bypass.go",
		Old:     `if site != "none" && site != "same-origin" {`,
		New:     `if false && site != "none" {`,
		Package: "./authmin", Tests: "TestBypassNeedsEveryCondition",
	},
	{
		Name: "bypass/optional-words", Control: "auth.md §4.5: any other value of AUTH_OPTIONAL is an error",
		File:    "authmin/bypass.go",
		Old:     `case "true", "1", "TRUE", "True":`,
		New:     `case "true", "1", "TRUE", "True", "yes", "on":`,
		Package: "./authmin", Tests: "TestParseOptional",
	},
	{
		Name: "bypass/api-key", Control: "auth.md §4.5: an X-Api-Key ends the bypass where it is read",
		File: "authmin/apikey.go",
		Old: `	case presented == PresentedNothing:
		return key, also
`,
		New: `	case presented == PresentedNothing && also == PresentedToken:
		return key, also
	case presented == PresentedNothing:
		return bearer, presented
`,
		Package: "./authmin", Tests: "TestAnAPIKeyEndsTheBypass|TestParseCredential",
	},
	{
		Name: "bypass/zone", Control: "auth.md §1: a zoned address is not loopback",
		File:    "authmin/loopback.go",
		Old:     `return addr.Zone() == "" && addr.Unmap().IsLoopback()`,
		New:     "return addr.Unmap().IsLoopback()",
		Package: "./authmin", Tests: "TestIsLoopbackHost",
	},
	{
		Name: "bypass/brackets", Control: "a name in brackets is no loopback listener",
		File:    "authmin/loopback.go",
		Old:     `if strings.HasPrefix(address, "[") && !strings.Contains(host, ":") {`,
		New:     "if false {",
		Package: "./authmin", Tests: "TestIsLoopbackListen",
	},
}
