package caddymodule

import (
	"strings"
	"testing"
)

// Scope admin passes every rule, unless the operator makes it a scope like any other:
// then it passes the rules that name it, in every place that decides.
func TestAdminIsASuperuserUnlessItIsSwitchedOff(t *testing.T) {
	const policy = "authmin edge {\n require infer /v1/*\n require admin /admin/*\n require infer,admin /both/*\n}\nrespond ok"
	for _, c := range []struct {
		option string
		want   map[string]int // by the admin token
	}{
		{"", map[string]int{"/v1/x": 200, "/admin/x": 200, "/both/x": 200, "/else": 403}},
		{"admin_is_superuser on", map[string]int{"/v1/x": 200, "/admin/x": 200, "/both/x": 200, "/else": 403}},
		{"admin_is_superuser off", map[string]int{"/v1/x": 403, "/admin/x": 200, "/both/x": 200, "/else": 403}},
	} {
		globals := strings.TrimSuffix(twoTokens, "\t}\n") + "\t\t" + c.option + "\n\t}\n"
		g := serve(t, true, globals, policy)
		for version, client := range clients(t) {
			for path, want := range c.want {
				answer, _ := g.ask(t, client, "GET", path, asBoss)
				if answer.StatusCode != want {
					t.Errorf("%q, %s, %s: got %d, want %d", c.option, version, path, answer.StatusCode, want)
				}
			}
		}
	}
}

// A rule for a scope of the operator's own that only an admin passed is passed by no
// token any more, and a prefix beside which admin was no weaker now is.
func TestScopeChecksHonourAdminIsSuperuser(t *testing.T) {
	text := func(option, body string) string {
		return options(silent, strings.TrimSuffix(twoTokens, "\t}\n"), "\t\t"+option+"\n\t}\n") + "http://:8080 {\nbind 127.0.0.1\n" + body + "\n}\n"
	}
	const own = "authmin {\n require research /*\n}\nrespond ok"
	if err := validate(t, text("admin_is_superuser on", own)); err != nil {
		t.Errorf("on: %v", err)
	}
	_, err := adapt("Caddyfile", text("admin_is_superuser off", own))
	expectRefused(t, err, "no token can have scope research")
	const beside = "authmin {\n require infer /ollama/*\n require infer,admin /*\n}\nhandle_path /ollama* {\nrespond ok\nreverse_proxy 127.0.0.1:8081\n}"
	if err := validate(t, text("admin_is_superuser on", beside)); err != nil {
		t.Errorf("on: %v", err)
	}
	expectRefused(t, validate(t, text("admin_is_superuser off", beside)), "in the middle of a segment")
}
