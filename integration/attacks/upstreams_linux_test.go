//go:build upstreams

// Upstreams of other makers that fold and normalise paths: with the tag upstreams, since
// they have to be installed. The check in .ci/run does that where it can:
//
//	go test -tags upstreams -run TestUpstream ./integration/attacks

package attacks_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// atOnceUpstream is how many requests an upstream is asked at a time: most wait for a
// connection to end.
const atOnceUpstream = 8

// guarded says which scope a policy asks for a resource; "" is public, "-" refused to all.
type guarded map[string]string

// upstreamPolicies are those of the corpus and of the spellings.
var upstreamPolicies = map[string]struct {
	text  string
	needs guarded
}{
	"corpus":    {fixturePolicy, guarded{"/health": "", "/public/x": "", "/v1/models": "infer", "/admin/pools": "admin", "/ollama/api/pull": "-", "/v2/nodes": "-", "/v2/tasks": "-", "/internal/x": "-"}},
	"spellings": {strings.ReplaceAll(strictFirst, "public /Legacy /*", "require admin /admin/*\n\t\tpublic /*"), guarded{"/health": "", "/public/x": "", "/v1/models": "", "/admin/pools": "admin", "/ollama/api/pull": "infer", "/v2/nodes": "admin", "/v2/tasks": "infer", "/internal/x": "-"}},
}

var resourceLine = regexp.MustCompile(`RESOURCE=(/[a-z0-9/]+)`)

// TestUpstreamsReadPathsAsThePolicyDoes: a request that the gateway lets pass reaches no
// resource, as the upstream reads its path, that the policy keeps from its sender.
func TestUpstreamsReadPathsAsThePolicyDoes(t *testing.T) {
	for name, server := range realServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin := server.start(t)
			unguarded := 0
			for _, spelling := range spellingsOfResources() {
				raw := exchangeAll(t, origin, [][]byte{wireOf(origin, "GET", spelling, "")})[0]
				if m := resourceLine.FindSubmatch(raw); m != nil && !slices.Contains(resources, spelling) {
					unguarded++
				}
			}
			// If fewer are found, the upstream no longer folds, and the rest says nothing.
			const least = 8
			if unguarded < least {
				t.Errorf("without the gateway %d spellings lead to a resource, want at least %d", unguarded, least)
			}
			for policy, p := range upstreamPolicies {
				t.Run(policy, func(t *testing.T) { p.needs.hold(t, origin, p.text) })
			}
		})
	}
}

// hold sends everything in each version of HTTP to a gateway with a policy.
func (g guarded) hold(t *testing.T, origin, policy string) {
	plain := startListeners(t, gatewayKind{scheme: "http", guard: "plaintext", policy: policy, upstream: origin})
	kind := secureKind(t)
	kind.policy, kind.upstream = policy, origin
	secure := startListeners(t, kind)
	certified(t, secure)
	var wires [][]byte
	for _, token := range []string{"", tokenOK} {
		for _, spelling := range spellingsOfResources() {
			for _, method := range []string{"GET", "POST", "get"} {
				wires = append(wires, wireOf(plain.pub, method, spelling, token))
			}
		}
	}
	for _, c := range rawCases(t, corpusFile, moreFile) {
		if c.Target != "pub" {
			continue // the bypass is an identity with every scope
		}
		wire, err := expand(c.Raw, plain.pub)
		if err != nil {
			t.Fatal(err)
		}
		wires = append(wires, wire)
	}
	reached := 0
	for i, raw := range exchangeAll(t, plain.pub, wires) {
		reached += g.judge(t, "HTTP/1.1", wires[i], raw)
	}
	for version, speak := range versions {
		reached += g.holdIn(t, version, speak, secure)
	}
	// Some have to pass, or a gateway that refuses everything would do.
	const least = 30
	if reached < least {
		t.Errorf("%d answers of the upstream, want at least %d", reached, least)
	}
}

func (g guarded) holdIn(t *testing.T, version string, speak speaker, to target) (reached int) {
	send := func(m message, wire []byte) {
		responses, _, err := speak(t, to.pub, m)
		if err != nil {
			t.Fatalf("%s: %.100q: %v", version, wire, err)
		}
		reached += g.judge(t, version, wire, flat(responses))
	}
	for _, token := range []string{"", tokenOK} {
		for _, spelling := range spellingsOfResources() {
			m := asked(set(":method", "GET"), set(":path", spelling), set(":authority", to.pub), without("authorization"))
			if token != "" {
				m.fields = append(m.fields, field{"authorization", "Bearer " + token})
			}
			send(m, wireOf(to.pub, "GET", spelling, token))
		}
	}
	for _, c := range rawCases(t, corpusFile, moreFile) {
		if c.Target != "pub" {
			continue
		}
		if m, wire, why := translate(t, c, to.pub); why == "" {
			send(m, wire)
		}
	}
	return reached
}

// judge looks for resources in an answer that its request may not have, and counts one if
// the upstream named any.
func (g guarded) judge(t *testing.T, version string, wire, answer []byte) int {
	t.Helper()
	if bytes.Contains(wire, []byte(tokenAdmin)) {
		return 0 // may have all
	}
	found := resourceLine.FindAllSubmatch(answer, -1)
	for _, m := range found {
		switch need := g[string(m[1])]; {
		case need == "" || need == "infer" && bytes.Contains(wire, []byte(tokenOK)):
		default:
			t.Errorf("%s: %.200q reached %s, which needs %q:\n%.300q", version, wire, m[1], need, answer)
		}
	}
	return min(len(found), 1)
}

// exchangeAll sends requests, each on a connection of its own, and returns the answers.
func exchangeAll(t *testing.T, address string, wires [][]byte) [][]byte {
	t.Helper()
	answers, errs := make([][]byte, len(wires)), make([]error, len(wires))
	var workers sync.WaitGroup
	for worker := range atOnceUpstream {
		workers.Go(func() {
			for i := worker; i < len(wires); i += atOnceUpstream {
				answers[i], errs[i] = exchange(address, wires[i], 1)
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

func wireOf(address, method, target, token string) []byte {
	lines := []string{method + " " + target + " HTTP/1.1", "Host: " + address, "Connection: close"}
	if token != "" {
		lines = append(lines, bearer(token))
	}
	if method == "POST" {
		lines = append(lines, "Content-Length: 0")
	}
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

func writeFileIn(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
