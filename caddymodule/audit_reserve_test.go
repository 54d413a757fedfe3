package caddymodule

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Below the reserve strangers write nothing; what an identity was let in with is
// recorded, and how much is missing is told.
func TestTheReserveIsForRequestsThatWereLetIn(t *testing.T) {
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
		if r["event"] == eventGap {
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
		eventually(t, "refusals to be recorded again", func() bool {
			statusOf(t, g, "/v1/x")
			lines := auditLines(t, path)
			return lines[len(lines)-1]["decision"] == decisionRefuse
		})
		g.load(t, auditing(fmt.Sprintf(sink, "1000000TiB")), site)
		eventually(t, "the reserve to count again", func() bool {
			before := len(auditLines(t, path))
			statusOf(t, g, "/v1/x")
			statusOf(t, g, "/v1/x", asUser)
			lines := auditLines(t, path)[before:]
			return lines[len(lines)-1]["decision"] == decisionAllow && lines[0]["decision"] != decisionRefuse
		})
	}
}

func TestHowMuchStrangersMayWrite(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "audit"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		name    string
		setting int64
		bounded bool
		may     bool
	}{
		{"the default", 0, true, true},
		{"a small one", 1, true, true},
		{"more than there is", math.MaxInt64, true, false},
		{"none", noReserve, false, true},
	} {
		r := newDiskReserve()
		r.setting.Store(c.setting)
		r.look(file, 0)
		if bounded := r.left.Load() != math.MaxInt64; bounded != c.bounded || r.take(600) != c.may {
			t.Errorf("%s: bounded %v, may write %v, want %v and %v", c.name, bounded, !c.may, c.bounded, c.may)
		}
	}
	r := newDiskReserve()
	r.setting.Store(1)
	r.look(file, 0)
	r.left.Store(2*(600+int64(chainRoom)) - 1)
	if !r.take(600) || r.take(600) {
		t.Error("with room for one record and most of another: want one")
	}
	device, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if r.look(device, 0); !r.take(600) {
		t.Error("a device has a reserve")
	}
}

func TestSizesOfAReserve(t *testing.T) {
	for text, want := range map[string]int64{
		"64MiB": 64 << 20, "1": 1, "100B": 100, "2KiB": 2048, "3KB": 3000, "1GB": 1e9, "4GiB": 4 << 30, "off": noReserve,
		"": 0, "0": 0, "-1": 0, "64MB5": 0, "MiB": 0, "1.5GiB": 0, "9999999999TiB": 0, "all": 0, "64mib": 0,
	} {
		got, err := parseReserve(text)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: got %d (%v), want %d", text, got, err, want)
		}
	}
}
