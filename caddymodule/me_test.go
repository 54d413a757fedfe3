package caddymodule

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A holder sees its own token and budgets, in a guard whose rules it may not pass, and no
// other identity.
func TestACallerSeesItself(t *testing.T) {
	u := newUpstream(t, nil)
	globals := strings.Replace(budgeted(t, "models tiny", "budget 10 requests per day", "budget 1M tokens per month hard"), "\t\ttoken boss", "\t\tbudget infer 7 requests per hour\n\t\ttoken boss", 1)
	g := serve(t, true, globals, "\n\tauthmin edge {\n\t\trequire admin /*\n\t\tusage\n\t\tlimit 600 1m\n\t\tinflight 3\n\t}\n\treverse_proxy "+u.address()+"\n")
	want := map[string]any{
		"name": "few", "guard": "edge", "scopes": []any{"infer"}, "models": []any{"tiny"},
		"limit": map[string]any{"requests": 600.0, "window_seconds": 60.0, "burst": 600.0, "inflight": 3.0},
		"budgets": []any{
			map[string]any{"of": "token", "amount": 10.0, "unit": "requests", "period": "day", "used": 0.0, "left": 10.0, "resets_at": "2026-11-30T00:00:00Z"},
			map[string]any{"of": "token", "amount": 1e6, "unit": "tokens", "period": "month", "hard": true, "used": 0.0, "left": 1e6, "resets_at": "2026-12-01T00:00:00Z"},
			map[string]any{"of": "scope infer", "amount": 7.0, "unit": "requests", "period": "hour", "used": 0.0, "left": 7.0, "resets_at": "2026-11-29T13:00:00Z"},
		},
	}
	for version, client := range clients(t) {
		answer, text := g.ask(t, client, "GET", mePath+"?x", asUser)
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil || answer.StatusCode != 200 || answer.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: got %d %s", version, answer.StatusCode, text)
		}
		delete(got["limit"].(map[string]any), "left")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", version, diff)
		}
	}
	if r := u.last(); r != nil {
		t.Errorf("the upstream was asked for %s", r.URL)
	}
	for name, c := range map[string]struct {
		method, path string
		fields       []string
		want         int
	}{
		"no token":        {"GET", mePath, nil, 401},
		"a bad token":     {"GET", mePath, []string{"Authorization: Bearer " + strings.Repeat("x", 40)}, 401},
		"a proxy's name":  {"GET", mePath, []string{"X-Auth-Identity: few"}, 401},
		"another method":  {"POST", mePath, []string{asUser}, 403},
		"another path":    {"GET", mePath + "/few", []string{asUser}, 403},
		"another variant": {"GET", "/_LLORCH/me", []string{asUser}, 403},
		"an encoded path": {"GET", "/%5Fllorch/me", []string{asUser}, 403},
		"a holder's HEAD": {"HEAD", mePath, []string{asUser}, 200},
	} {
		if answer, text := g.ask(t, clients(t)["HTTP/1.1"], c.method, c.path, c.fields...); answer.StatusCode != c.want || strings.Contains(text, `"few"`) && c.method != "HEAD" {
			t.Errorf("%s: got %d %s, want %d", name, answer.StatusCode, text, c.want)
		}
	}
}

func TestLocalhostSeesItselfWhereItNeedsNoToken(t *testing.T) {
	site := "\n\tauthmin edge {\n\t\trequire infer /*\n\t}\n\trespond ok\n"
	for optional, want := range map[string]string{"true": `{"name":"localhost","guard":"edge","scopes":["infer","nodes","dispatch","catalog","metrics","admin"]}`, "false": `"code":"MISSING_TOKEN"`} {
		g := serve(t, false, "\tauthmin {\n\t\toptional "+optional+"\n\t\ttoken boss {env.TEST_ADMIN} admin\n\t}\n", site)
		if _, text := g.ask(t, plainClient(), "GET", mePath); !strings.Contains(text, want) {
			t.Errorf("optional %s: got %s, want %s", optional, text, want)
		}
	}
}

// A shadow guard answers nothing itself.
func TestAShadowGuardForwardsMe(t *testing.T) {
	u := newUpstream(t, nil)
	g := serve(t, false, twoTokens, "\n\tauthmin edge {\n\t\trequire infer /*\n\t\tshadow\n\t}\n\treverse_proxy "+u.address()+"\n")
	g.ask(t, plainClient(), "GET", mePath, asUser)
	if u.last() == nil {
		t.Error("the upstream was not asked")
	}
}

// A caller that reads `left: 0` shall know that it is refused nothing.
func TestACallerSeesWhichBudgetsOnlyCount(t *testing.T) {
	for option, want := range map[string]bool{"": false, "shadow_budget": true} {
		g := serve(t, false, budgeted(t, "budget 10 requests per day"), budgetSite(newUpstream(t, nil).address(), option))
		_, text := g.ask(t, plainClient(), "GET", mePath, asUser)
		if !strings.Contains(text, `"of":"token"`) || strings.Contains(text, `"shadow":true`) != want {
			t.Errorf("%q: got %s", option, text)
		}
	}
}

// A body that is not read would be taken for the next request, or waited for.
func TestABodyBesideMeIsNotWaitedFor(t *testing.T) {
	g := serve(t, false, twoTokens, "\n\tauthmin edge {\n\t\trequire infer /*\n\t}\n\trespond ok\n")
	for body, closes := range map[string]bool{"Content-Length: 9\r\n\r\n": true, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello": true, "\r\n": false} {
		conn, err := net.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(hangs))
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s", mePath, tokenInfer, body)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%q: %v", body, err)
			continue
		}
		answer.Body.Close()
		if answer.StatusCode != 200 || answer.Close != closes {
			t.Errorf("%q: got %d, and the connection closes is %v", body, answer.StatusCode, answer.Close)
		}
	}
}

// What is left of a rate that is not limited is not 0.
func TestNothingIsSaidToBeLeftOfNoRate(t *testing.T) {
	for option, want := range map[string]string{
		"inflight 3":                 `"limit":{"inflight":3}`,
		"limit 1 1h":                 `"limit":{"requests":1,"window_seconds":3600,"burst":1,"left":0}`,
		"limit 9 1h\n\t\tinflight 3": `"left":8,"inflight":3}`,
	} {
		g := serve(t, false, twoTokens, "\n\tauthmin edge {\n\t\trequire infer /*\n\t\t"+option+"\n\t}\n\trespond ok\n")
		if _, text := g.ask(t, plainClient(), "GET", mePath, asUser); !strings.Contains(text, want) {
			t.Errorf("%s: got %s, want %s", option, text, want)
		}
	}
}
