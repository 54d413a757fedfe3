package caddymodule

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// The trail in force says that a new configuration was refused, and why as far as
// that is known here; a reload that succeeds and a stop say nothing of the kind.
func TestARefusedReloadIsRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	globals := auditing("audit file " + path)
	g := serve(t, false, globals, guarded+"respond ok")
	cases := []struct{ globals, site, why string }{
		{"\tauthmin {\n\t\ttoken a {env.NOT_SET_AT_ALL} infer\n\t}\n", guarded, "NOT_SET_AT_ALL"},
		{globals, strings.Replace(guarded, "require infer", "upstream_token {env.NOT_SET_AT_ALL}\n\t\trequire infer", 1), "upstream_token"},
		{globals, guarded + "reverse_proxy 127.0.0.1:9 {\ntransport http {\ntls_trust_pool file /nowhere\n}\n}", errOtherModule.Error()},
	}
	var want []string
	for _, c := range cases {
		if err := g.tryLoad(t, c.globals, c.site); err == nil {
			t.Errorf("loaded: %s", c.site)
		}
		want = append(want, c.why)
		g.load(t, globals, guarded+"respond ok")
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, record := range auditLines(t, path) {
		if record["event"] == eventConfigRejected {
			got = append(got, fmt.Sprint(record["error"]))
			if record["what"] != "configuration" {
				t.Errorf("got %v", record)
			}
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("got %q, want something of %q", got[i], want[i])
		}
	}
}
