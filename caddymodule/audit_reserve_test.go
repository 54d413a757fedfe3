package caddymodule

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/llorch/gateway/caddymodule/trail"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Below the reserve strangers write nothing; what an identity was let in with is
// recorded, and how much is missing is told.
func TestTheReserveIsForAllowedRequests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	dropped := shared.auditEvents.WithLabelValues(sinkFile, "dropped")
	before := testutil.ToFloat64(dropped)
	sink := "audit file " + path + " {\nchain " + chainKeyFile(t) + "\nrequired\nreserve %s\n}"
	site := guarded + "respond ok"
	g := serve(t, false, auditing(fmt.Sprintf(sink, "1000000TiB")), site)
	for _, c := range []struct {
		path   string
		fields []string
		want   int
	}{{"/v1/x", nil, 401}, {"/v1/x", []string{"Authorization: Bearer wrong"}, 401}, {"/nothing", []string{asUser}, 403}, {"/health", nil, 200}, {"/v1/x", []string{asUser}, 200}} {
		if got := statusOf(t, g, c.path, c.fields...); got != c.want {
			t.Errorf("%s %v: got %d, want %d", c.path, len(c.fields), got, c.want)
		}
	}
	var decisions []string
	lost := 0.0
	for _, r := range auditLines(t, path) {
		if r["decision"] != nil {
			decisions = append(decisions, r["decision"].(string)+" "+r["token"].(string))
		}
		if r["event"] == trail.EventGap {
			lost += r["lost"].(float64)
		}
	}
	if len(decisions) != 1 || decisions[0] != "allow infer-user" || lost != 4 {
		t.Errorf("got records of %v and a gap of %v, want one of the request that was let in, and a gap of 4", decisions, lost)
	}
	if grown := testutil.ToFloat64(dropped) - before; grown != 4 {
		t.Errorf("%v records are counted as dropped, want 4", grown)
	}
	// A reload with another reserve, of the same file.
	for _, reserve := range []string{"1KiB", "off"} {
		g.load(t, auditing(fmt.Sprintf(sink, reserve)), site)
		testkit.Eventually(t, "refusals to be recorded again", func() bool {
			statusOf(t, g, "/v1/x")
			lines := auditLines(t, path)
			return lines[len(lines)-1]["decision"] == decisionRefuse
		})
		g.load(t, auditing(fmt.Sprintf(sink, "1000000TiB")), site)
		testkit.Eventually(t, "the reserve to count again", func() bool {
			before := len(auditLines(t, path))
			statusOf(t, g, "/v1/x")
			statusOf(t, g, "/v1/x", asUser)
			lines := auditLines(t, path)[before:]
			return lines[len(lines)-1]["decision"] == decisionAllow && lines[0]["decision"] != decisionRefuse
		})
	}
}
