package orchestrator

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAFormerOwnersReportIsIgnored has a replica that was cut off while the node id got
// another owner, and that tells what the former owner's node says. The owner's node has been
// silent for longer than the node time-out, so that an earlier report would count as news.
func TestAFormerOwnersReportIsIgnored(t *testing.T) {
	const timeout = 30 * time.Second
	at := time.Now().UTC()
	said := func(owner string, registered time.Duration) sharedNode {
		return sharedNode{Owner: owner, Address: "http://127.0.0.1:1", Pin: netip.MustParseAddrPort("127.0.0.1:1"), Token: "x", Registered: at.Add(registered)}
	}
	owner := func(o *Orchestrator) string {
		for _, n := range o.Nodes() {
			if n.NodeID == "x" {
				return n.Owner
			}
		}
		return ""
	}
	beat := func(o *Orchestrator, identity string) string {
		_, err := o.Heartbeat(Who{Identity: identity}, "x", nodeapi.HeartbeatRequest{Timestamp: time.Now()})
		if err == nil {
			return ""
		}
		e, _ := AsError(err)
		return e.Code
	}
	o := newWith(t, Config{Store: openStore(t), Settings: Settings{NodeTimeout: timeout}})
	hear(o, "x", said("former", -time.Hour), time.Minute) // this replica was cut off
	o.nodes.observeOwner(store.Entry{Key: "x", Value: []byte("owner")})
	if got := owner(o); got != "" {
		t.Errorf("when the id has another owner, it is the node of %q", got)
	}
	if got := beat(o, "former"); got != "NODE_OWNED" {
		t.Errorf("a heartbeat of the former owner, when no node is known: got %q", got)
	}
	if !hear(o, "x", said("owner", -time.Minute), 40*time.Second) {
		t.Error("the owner's report is not taken")
	}
	if hear(o, "x", said("former", -time.Hour), 0) || owner(o) != "owner" {
		t.Errorf("a report of the former owner is taken: the node of %q", owner(o))
	}
	record, err := json.Marshal(said("former", -time.Minute)) // no later and no earlier time
	if err != nil {
		t.Fatal(err)
	}
	legacy := legacyNodes{ns: o.nodes}
	if legacy.observe(store.Entry{Key: "x", Value: record, Revision: 9}); owner(o) != "owner" {
		t.Errorf("a record of the former owner is taken: the node of %q", owner(o))
	}
	if got := beat(o, "former"); got != "NODE_OWNED" {
		t.Errorf("a heartbeat of the former owner: got %q", got)
	}
	if got := beat(o, "owner"); got != "" {
		t.Errorf("a heartbeat of the owner: got %q", got)
	}
}
