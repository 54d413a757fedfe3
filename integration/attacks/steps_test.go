package attacks_test

import "testing"

// steps are the cases that the corpus tells in prose, each as a test against
// the built program. The functions live beside this file, by subject.
var steps = map[string]func(*testing.T){
	"IPTRUST-028": mappedPeerIsNoLoopbackListener,
	"BIND-001":    accepts("bind 127.0.0.1"),
	"BIND-002":    accepts("bind 127.0.0.2"),
	"BIND-003":    accepts("bind ::1"),
	"BIND-004":    accepts("bind localhost"),
	"BIND-005":    accepts("bind unix//{dir}/gw.sock"),
	"BIND-006":    refuses("bind 0.0.0.0"),
	"BIND-007":    refuses(""),
	"BIND-012":    refuses("bind 127.0.0.1.nip.io"),
	"BIND-013":    refuses("bind 0"),
	"BIND-014":    refuses("bind 2130706433"),
	"BIND-015":    refuses("bind 0x7f000001"),
	"BIND-016":    refuses("bind fe80::1%lo"),
	"BIND-017":    refuses("bind {env.BIND}", "BIND=0.0.0.0"),
	"BIND-018":    refuses("bind 127.0.0.1 0.0.0.0"),
	"BIND-019":    refuses("bind fd/3"),
	"BIND-020":    reloadToExposedKeepsTheOld,
	"BIND-023":    optionalMeans("TRUE", 200),
	"BIND-024":    optionalIsRefused("yes"),
	"BIND-027":    optionalMeans("false", 401),
	"BIND-029":    noBypassOnExposedListener,
	"BIND-032":    earlyDataIsRefused,

	"CONFIG-001": refusesToken(missingFile),
	"CONFIG-002": refusesToken(emptyFile),
	"CONFIG-003": refusesToken(blankFile),
	"CONFIG-004": tokenFileEndings,
	"CONFIG-006": strangeTokenFiles,
	"CONFIG-013": doubledTokens,
	"CONFIG-015": unknownDirectives,
	"CONFIG-021": unknownHostIsDenied,
	"CONFIG-022": manyHostsOnePolicy,
	"CONFIG-024": metricsSurviveReloads,

	"REBIND-039": adminRefusesForeignHost,
	"REBIND-040": adminRefusesNoCors,
	"REBIND-041": adminIsNotProxied,
	"INJECT-010": placeholdersStayText,
	"INJECT-011": metricsDoNotGrow,
	"INJECT-012": tokenNamesAreChecked,
	"LEAK-005":   adminConfigHoldsNoToken,
	"LEAK-006":   autosaveHoldsNoToken,
	"LEAK-012":   redirectsAreNotFollowed,
	"LEAK-015":   healthTellsNothing,
	"LEAK-016":   upstreamDownIsStill401,
	"TIMING-007": routesAreNotEnumerable,
	"DOS-002":    missingTokensLockNobodyOut,
	"DOS-013":    slowBodyIsRefusedAtOnce,
	"DOS-016":    tenThousandHeaders,
	"DOS-018":    continuationFlood,
	"DOS-020":    stalledPreface,
	"DOS-021":    bodiesAreNotDecompressed,
	"STREAM-006": keepAliveAfterRevocation,
	"STREAM-009": streamsAreNotBuffered,
	"OPT-001":    tokenIsRefused("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."),
}

// elsewhere are the cases that are not carried out here, with the reason. The
// first words group them.
var elsewhere = map[string]string{
	"BIND-030":   "deployment: a container's published port, with the container files",
	"INJECT-013": "audit: syslog sink",
	"LEAK-001":   "canary test over every sink",
	"LEAK-003":   "canary test: panics",
	"LEAK-008":   "end to end: argv and environment of every process of up",
	"LEAK-009":   "canary test: traces",
	"LEAK-013":   "deployment: the unit's core limit; the admin endpoint is off",
	"LEAK-014":   "token commands",
	"TIMING-001": "timing: statistics at the gate, and of the look-up in authmin",
	"TIMING-002": "timing: statistics at the gate, and of the look-up in authmin",
	"TIMING-004": "timing: statistics at the gate, and of the look-up in authmin",
	"TIMING-008": "authmin: identity is the name, not the fp6",
	"TIMING-009": "bench: bad tokens beside valid traffic",
	"TIMING-010": "not ours: look-ups are never cached",
	"DOS-004":    "lockout",
	"DOS-005":    "lockout",
	"DOS-006":    "lockout",
	"DOS-007":    "lockout",
	"DOS-008":    "lockout",
	"DOS-009":    "lockout",
	"DOS-010":    "lockout",
	"DOS-011":    "lockout",
	"DOS-015":    "end to end: a long stream",
	"DOS-023":    "not ours: no remote sources",
	"DOS-024":    "not ours: no endpoint takes tokens",
	"DOS-025":    "audit: stalled sink",
	"STREAM-002": "live revocation; by our contract the socket is closed, no close frame is sent",
	"STREAM-004": "live revocation",
	"STREAM-005": "live revocation",
	"STREAM-008": "live revocation",
	"STREAM-011": "live revocation",
	"STREAM-012": "lockout",
	"CONFIG-010": "not ours: no exec source",
	"CONFIG-011": "not ours: no Vault source",
	"CONFIG-016": "lint",
	"CONFIG-017": "lint",
	"CONFIG-018": "lint",
	"CONFIG-019": "lint",
	"CONFIG-020": "lint",
	"CONFIG-023": "chaos: reloads under load",
	"CONFIG-025": "lockout",
	"CONFIG-026": "caddymodule: a panic needs a hook inside",
	"CONFIG-027": "audit: required sinks",
	"CONFIG-030": "audit: full disk",
	"CONFIG-031": "audit: chain",
	"CONFIG-033": "audit: chain",
	"CONFIG-034": "audit: chain",
	"CONFIG-036": "lint",
	"CONFIG-037": "not ours: Caddy's client certificates",
	"CONFIG-040": "sources: systemd credentials",
	"CONFIG-041": "shadow",
	"OPT-002":    "not ours: JWT",
	"OPT-003":    "not ours: JWT",
	"OPT-004":    "not ours: JWT",
	"OPT-007":    "not ours: HMAC request signatures",
	"OPT-010":    "not ours: client certificates as credentials",
	"OPT-011":    "not ours: address lists",
	"OPT-012":    "not ours: no shared limiter",
	"OPT-013":    "sources: symlink swap",
}

// TestSteps carries out the prose cases.
func TestSteps(t *testing.T) {
	t.Parallel()
	for _, c := range readCorpus(t) {
		if run := steps[c.ID]; run != nil {
			t.Run(c.ID, run)
		}
	}
}

// TestEveryCaseHasAPlace fails when a case of the corpus is neither carried
// out nor named with a reason, and when a table names a case that is not there.
func TestEveryCaseHasAPlace(t *testing.T) {
	there := map[string]bool{}
	for _, c := range readCorpus(t) {
		there[c.ID] = true
		places := 0
		if steps[c.ID] != nil {
			places++
		}
		if elsewhere[c.ID] != "" {
			places++
		}
		if c.Kind == "raw" {
			places++
		}
		if places != 1 {
			t.Errorf("%s (%s, %s): in %d places, want one", c.ID, c.Title, c.Severity, places)
		}
	}
	for id := range steps {
		if !there[id] {
			t.Errorf("the corpus has no %s", id)
		}
	}
	for id := range elsewhere {
		if !there[id] {
			t.Errorf("the corpus has no %s", id)
		}
	}
}
