package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// leakedTargets are targets with the token of a client in them; %s is
// the token. All of them were let through once, or something like them.
var leakedTargets = []string{
	"/v1/x?authorization=Bearer+%s", "/v1/x?k=sk-%s", "/v1/x?k=v1_%s&a=b", "/v1/x?k=%s-x", "/v1/x?k=a~%s~b", "/v1/x?k=a%%2B%s",
	"/v1/x?k=a:%s", "/v1/%s", "/v1/sk-%s/x", "/v1/x.%s", "/v1/x/req-%s", "/v1/x?%s", "/v1/x?k=%%2573k-%s",
}

// slashed is a token of base64 that is several segments of a path, and uuid one that
// looks like the id of a task.
const slashed, uuid = "CNRY/aB3kLm9/QweRt7Yu/iOp1As2Df3/Gh4Jk5Zx6+vBn", "c0ffee00-aaaa-4bbb-8ccc-dddddddd7777"

func leakyTokens(t *testing.T) string {
	t.Setenv("TEST_SLASHED", slashed)
	t.Setenv("TEST_UUID", uuid)
	return "\tauthmin {\n\t\ttoken infer-user {env.TEST_INFER} infer\n\t\ttoken slashed {env.TEST_SLASHED} infer\n\t\ttoken uuid {env.TEST_UUID} infer\n\t}\n"
}

// A token in the target is refused, and one in a field is taken off, in every spelling.
func TestMisplacedTokensInEverySpelling(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, leakyTokens(t), "authmin {\n\trequire infer /v1/*\n\tupstream_token {env.TEST_UPSTREAM}\n}\nreverse_proxy "+up.address())
	for _, token := range []string{tokenInfer, slashed, uuid, tokenUpstream} {
		for _, target := range leakedTargets {
			target = strings.ReplaceAll(strings.ReplaceAll(target, "%s", token), "%%", "%")
			if answer, body := g.ask(t, plainClient(), "GET", target, asUser); answer.StatusCode != http.StatusBadRequest || !strings.Contains(body, "MISPLACED_TOKEN") {
				t.Errorf("%s: got %d %s", target, answer.StatusCode, body)
			}
		}
		for _, host := range []string{"%s.example", "%s", "x.%s"} {
			host = strings.ReplaceAll(strings.ToLower(fmt.Sprintf(host, token)), "/", "%2F")
			if answer, _ := g.ask(t, plainClient(), "GET", "/v1/x", asUser, "Host: "+host); answer.StatusCode != http.StatusBadRequest {
				t.Errorf("Host %s: got %d", host, answer.StatusCode)
			}
		}
		for _, field := range []string{
			"X-Api-Key: sk-%s", "X-Api-Key: v1_%s", "Cookie: a=b; session=%s; c=d", "Referer: https://x/?authorization=Bearer+%s",
			"User-Agent: agent/%s", "X-A: " + url.QueryEscape(url.QueryEscape("k="+token)), "X-A: %s-x", "X-Request-Id: req-%s", "X-Correlation-Id: req-%s",
		} {
			field = strings.ReplaceAll(field, "%s", token)
			if answer, _ := g.ask(t, plainClient(), "GET", "/v1/x", asUser, field); answer.StatusCode != http.StatusOK {
				t.Errorf("%s: got %d", field, answer.StatusCode)
			} else if r := up.last(); r == nil {
				t.Errorf("%s: the upstream got nothing", field)
			} else if got := fmt.Sprint(r.Header, r.RequestURI, answer.Header); strings.Count(got, token) > strings.Count(got, "[Bearer "+tokenUpstream+"]") {
				t.Errorf("%s: the upstream or the client got %s", field, got)
			}
		}
	}
	for _, record := range g.records(t) {
		expectNoLeak(t, fmt.Sprint(record))
	}
}

func expectNoLeak(t *testing.T, text string) {
	t.Helper()
	expectNoToken(t, text)
	for _, token := range []string{slashed, uuid, strings.ToLower(slashed)} {
		for i := 0; i+12 <= len(token); i += 12 {
			if strings.Contains(text, token[i:i+12]) {
				t.Errorf("a part of the token %q is in %.2000q", token, text)
			}
		}
	}
}

// A shadow guard lets everything through, but for the tokens in it.
func TestShadowGuardsPassNoToken(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, true, leakyTokens(t), "authmin {\n\tshadow\n\trequire infer /v1/*\n}\nreverse_proxy "+up.address()+" {\n\theader_up X-Orig {http.request.orig_uri}\n}")
	for version, client := range clients(t) {
		for _, token := range []string{tokenInfer, slashed, uuid} {
			for _, credential := range []string{asUser, "X-Nothing: 1"} {
				for _, target := range leakedTargets {
					target = strings.ReplaceAll(strings.ReplaceAll(target, "%s", token), "%%", "%")
					answer, _ := g.ask(t, client, "GET", target, credential, "X-Api-Key: sk-"+token)
					got := up.last()
					if answer.StatusCode != http.StatusOK || answer.Proto != version || got == nil {
						t.Errorf("%s %s: got %d, %v at the upstream", version, target, answer.StatusCode, got)
						continue
					}
					expectNoLeak(t, fmt.Sprint(got.RequestURI, got.Host, got.Header))
				}
			}
		}
		g.ask(t, client, "GET", "/v1/a%2Fb?x=%41+b", asUser)
		if got := up.last().RequestURI; got != "/v1/a%2Fb?x=%41+b" {
			t.Errorf("%s: a target without a token became %s", version, got)
		}
	}
	expectNoLeak(t, readFile(t, g.log))
}

// The gateway's own credential is no client's: not at the start, and not in a file that
// changes later.
func TestUpstreamTokenIsNoClientToken(t *testing.T) {
	site := "http://x:8080 {\n\tbind 127.0.0.1\n\tauthmin edge {\n\t\tupstream_token {env.TEST_INFER}\n\t}\n}\n"
	expectRefused(t, validate(t, options(silent, twoTokens)+site), "upstream_token", "infer-user", "guard edge", "openssl rand -hex 32")

	file := t.TempDir() + "/tokens"
	writeKeyring(t, file, keyringLine("a", tokenAdmin, "infer"))
	g := serve(t, false, "\tauthmin {\n\t\ttoken_file "+file+"\n\t}\n", "authmin {\n\trequire infer /v1/*\n\tupstream_token {env.TEST_UPSTREAM}\n}\nrespond ok")
	writeKeyring(t, file, keyringLine("a", tokenAdmin, "infer"), keyringLine("b", tokenUpstream, "infer"))
	testkit.Eventually(t, "the file to be refused", func() bool { return strings.Contains(readFile(t, g.log), "keyring not loaded") })
	for token, want := range map[string]int{tokenAdmin: http.StatusOK, tokenUpstream: http.StatusUnauthorized} {
		if answer, _ := g.ask(t, plainClient(), "GET", "/v1/x", "Authorization: Bearer "+token); answer.StatusCode != want {
			t.Errorf("got %d, want %d", answer.StatusCode, want)
		}
	}
}
