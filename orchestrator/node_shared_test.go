package orchestrator

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestAReplicaUsesNoAddressThatItsOwnOperatorForbids has records of a replica
// with other settings, or of one that an attacker has.
func TestAReplicaUsesNoAddressThatItsOwnOperatorForbids(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t), Settings: Settings{NodeNetworks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}})
	for _, c := range []struct {
		address, pin string
		want         bool
	}{
		{"https://gpu.example", "10.1.2.3:443", true},
		{"http://localhost:9200", "127.0.0.1:9200", true},
		{"https://gpu.example", "10.2.0.1:443", false},
		{"https://gpu.example", "169.254.169.254:443", false},
		{"http://gpu.example", "10.1.2.3:80", false},
		{"http://gpu.example", "[::ffff:10.1.2.3]:80", false},
	} {
		value, err := json.Marshal(sharedNode{Owner: "n", Address: c.address, Pin: netip.MustParseAddrPort(c.pin), Token: "x"})
		if err != nil {
			t.Fatal(err)
		}
		o.nodes.observe(store.Entry{Key: "other", Value: value, Revision: 1, Created: time.Now()})
		if got := len(o.Nodes()) == 2; got != c.want {
			t.Errorf("%s at %s: taken in %v, want %v", c.address, c.pin, got, c.want)
		}
		o.nodes.mu.Lock()
		o.nodes.forget("other")
		o.nodes.mu.Unlock()
	}
}

func TestANodeThatHasLongBeenSilentIsNotNewToAReplicaThatStarts(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t), Settings: Settings{NodeTimeout: 30 * time.Second}})
	value, err := json.Marshal(sharedNode{Owner: "n", Address: "http://127.0.0.1:1", Pin: netip.MustParseAddrPort("127.0.0.1:1")})
	if err != nil {
		t.Fatal(err)
	}
	o.nodes.observe(store.Entry{Key: "old", Value: value, Revision: 1, Created: time.Now().Add(-time.Minute)})
	for _, n := range o.Nodes() {
		if n.NodeID == "old" && n.State != NodeOffline {
			t.Errorf("got %s, want offline", n.State)
		}
	}
}

// TestANodeIsHeardWhenTheStoreHasForgotten has revisions begin anew, as where all
// servers that kept them in memory were restarted.
func TestANodeIsHeardWhenTheStoreHasForgotten(t *testing.T) {
	view, _, err := openStore(t).View(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { view.Close() })
	o := newWith(t, Config{Store: view})
	o.nodes.mu.Lock()
	said := o.nodes.byID["n"].said
	o.nodes.byID["n"].revision = 500
	o.nodes.mu.Unlock()
	hear := func(version string, stamp time.Time) string {
		t.Helper()
		said := said
		said.Version, said.Stamp = version, stamp
		value, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		o.nodes.observe(store.Entry{Key: "n", Value: value, Revision: 1, Created: time.Now()})
		return o.Nodes()[0].Version
	}
	now := time.Now()
	if got := hear("later", now); got != "later" {
		t.Errorf("got %q, want what was said later", got)
	}
	o.nodes.mu.Lock()
	o.nodes.byID["n"].revision = 500
	o.nodes.mu.Unlock()
	if got := hear("earlier", now.Add(-time.Second)); got != "later" {
		t.Errorf("got %q, want no older word under an older revision", got)
	}
}
