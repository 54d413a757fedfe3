package cli

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// explain decides as the gateway does, whether or not scope admin passes every rule.
func TestExplainKnowsWhetherAdminIsASuperuser(t *testing.T) {
	const policy = "authmin edge {\n require infer /v1/*\n require admin /admin/*\n require infer,admin /both/*\n}\nrespond ok"
	for _, c := range []struct {
		option string
		want   map[string]int // for the admin token
	}{
		{"", map[string]int{"/v1/x": 200, "/admin/x": 200, "/both/x": 200, "/else": 403}},
		{"admin_is_superuser on", map[string]int{"/v1/x": 200, "/admin/x": 200, "/both/x": 200, "/else": 403}},
		{"admin_is_superuser off", map[string]int{"/v1/x": 403, "/admin/x": 200, "/both/x": 200, "/else": 403}},
	} {
		file := filepath.Join(t.TempDir(), "Caddyfile")
		globals := strings.TrimSuffix(twoTokens, "\t}\n") + "\t\t" + c.option + "\n\t}\n"
		writeFile(t, file, "{\n"+globals+"}\nhttp://:8080 {\n"+policy+"\n}\n", 0o600)
		s, err := readSettings(file)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range c.want {
			said, err := s.ask(&question{method: http.MethodGet, url: path, token: "boss"}, time.Now())
			if err != nil || said.status() != want {
				t.Errorf("%q: explain says %d (%v) for %s, want %d", c.option, said.status(), err, path, want)
			}
		}
	}
}

// A scope that only an admin passed for is a finding once admin is a scope like others.
func TestLintKnowsWhetherAdminIsASuperuser(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Caddyfile")
	for option, want := range map[string]bool{"admin_is_superuser on": false, "admin_is_superuser off": true} {
		writeFile(t, file, "{\n"+quiet+silent+strings.TrimSuffix(twoTokens, "\t}\n")+"\t\t"+option+"\n\t}\n}\nhttp://:8080 {\nbind 127.0.0.1\nauthmin {\n require nodes /*\n}\nrespond ok\n}\n", 0o600)
		findings, err := lint(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(findings) == 1 && strings.Contains(findings[0].text, "no token holds scope nodes"); got != want {
			t.Errorf("%s: lint finds %v", option, findings)
		}
	}
}
