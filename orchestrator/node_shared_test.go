package orchestrator

import (
	"net/netip"
	"testing"
	"time"
)

// hear takes a report over as if another replica had heard it that long ago.
func hear(o *Orchestrator, id string, said sharedNode, age time.Duration) bool {
	o.nodes.mu.Lock()
	defer o.nodes.mu.Unlock()
	return o.nodes.take(id, said, o.nodes.now().Add(-age))
}

func stateOf(o *Orchestrator, id string) NodeState {
	for _, n := range o.Nodes() {
		if n.NodeID == id {
			return n.State
		}
	}
	return ""
}

// TestAReplicaUsesNoAddressThatItsOwnOperatorForbids has reports of a replica
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
		hear(o, "other", sharedNode{Owner: "n", Address: c.address, Pin: netip.MustParseAddrPort(c.pin), Token: "x"}, 0)
		if got := len(o.Nodes()) == 2; got != c.want {
			t.Errorf("%s at %s: taken in %v, want %v", c.address, c.pin, got, c.want)
		}
		o.nodes.mu.Lock()
		o.nodes.forget("other")
		o.nodes.mu.Unlock()
	}
}

// TestOrderOfReports has reports of one node arrive in another order than they were said.
func TestOrderOfReports(t *testing.T) {
	const timeout = 30 * time.Second
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	report := func(registered, stamp time.Duration) sharedNode {
		return sharedNode{Owner: "n", Address: "http://127.0.0.1:1", Pin: netip.MustParseAddrPort("127.0.0.1:1"), Registered: at.Add(registered), Stamp: at.Add(stamp)}
	}
	removed := func(when time.Duration) sharedNode { return sharedNode{Removed: true, Registered: at.Add(when)} }
	type heard struct {
		said sharedNode
		age  time.Duration
	}
	for name, c := range map[string]struct {
		first, then heard
		taken       bool
		state       NodeState
	}{
		"a later heartbeat":                       {heard{report(0, 1), time.Second}, heard{report(0, 2), 0}, true, NodeOnline},
		"an earlier heartbeat":                    {heard{report(0, 2), 0}, heard{report(0, 1), 0}, false, NodeOnline},
		"the same heartbeat":                      {heard{report(0, 1), 0}, heard{report(0, 1), 0}, false, NodeOnline},
		"a registration after heartbeats":         {heard{report(0, 5), 0}, heard{report(1, 0), 0}, true, NodeOnline},
		"a heartbeat of an earlier registration":  {heard{report(1, 0), 0}, heard{report(0, 5), 0}, false, NodeOnline},
		"a removal":                               {heard{report(0, 5), time.Second}, heard{removed(1), 0}, true, ""},
		"a removal before the registration":       {heard{report(1, 0), 0}, heard{removed(0), time.Second}, false, NodeOnline},
		"a report from before the removal":        {heard{removed(1), 0}, heard{report(0, 5), time.Second}, false, ""},
		"a registration after the removal":        {heard{removed(1), time.Second}, heard{report(2, 0), 0}, true, NodeOnline},
		"another clock, after the node time-out":  {heard{removed(9), 2 * timeout}, heard{report(0, 5), 0}, true, NodeOnline},
		"another clock, of a node that is silent": {heard{report(9, 0), 2 * timeout}, heard{report(0, 5), 0}, true, NodeOnline},
		"an old report, long after the removal":   {heard{removed(9), 2 * timeout}, heard{report(0, 5), 2 * timeout}, false, ""},
		"a report of long ago":                    {heard{removed(1), 2 * forgetAfter}, heard{report(5, 5), forgetAfter + time.Second}, false, ""},
		"a node that has long been silent":        {heard{removed(0), 2 * forgetAfter}, heard{report(1, 0), time.Minute}, true, NodeOffline},
	} {
		t.Run(name, func(t *testing.T) {
			o := newWith(t, Config{Store: openStore(t), Settings: Settings{NodeTimeout: timeout}})
			hear(o, "x", c.first.said, c.first.age)
			if got := hear(o, "x", c.then.said, c.then.age); got != c.taken {
				t.Errorf("taken: %t, want %t", got, c.taken)
			}
			if got := stateOf(o, "x"); got != c.state {
				t.Errorf("the node is %q, want %q", got, c.state)
			}
		})
	}
}
