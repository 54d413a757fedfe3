package orchestrator

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// replicas opens views of one store: several replicas in this process.
func replicas(t *testing.T, names ...string) (views []*store.Store) {
	t.Helper()
	st := openStore(t)
	for _, name := range names {
		view, _, err := st.View(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { view.Close() })
		views = append(views, view)
	}
	return views
}

func stopped(t *testing.T, o *Orchestrator) *Orchestrator {
	t.Cleanup(func() { o.Stop(context.Background()) })
	return o
}

func startReplica(t *testing.T, view *store.Store) *Orchestrator {
	t.Helper()
	o, err := New(t.Context(), Config{Store: view, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return stopped(t, o)
}

// TestAReplicaStartsWhenItKnowsTheNodes has the other replica take its time for its answer:
// until then the replica that starts does not answer at all.
func TestAReplicaStartsWhenItKnowsTheNodes(t *testing.T) {
	views := replicas(t, "a", "b")
	p, asked := views[0].Peers(), make(chan store.PeerMessage, 100)
	stop, err := p.Subscribe(topicAsk, func(m store.PeerMessage) { asked <- m })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	started := make(chan *Orchestrator)
	go func() {
		o, err := New(t.Context(), Config{Store: views[1], Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Error(err)
		}
		started <- o
	}()
	var question store.PeerMessage
	select {
	case question = <-asked:
	case o := <-started:
		stopped(t, o)
		t.Fatal("it has started, and has asked no other replica")
	}
	select {
	case o := <-started:
		stopped(t, o)
		t.Error("it has started, and its question was not answered")
	default:
	}
	report, err := json.Marshal(nodeReport{"n", 0, sharedNode{Owner: "n", Address: "http://127.0.0.1:1", Pin: netip.MustParseAddrPort("127.0.0.1:1"), Token: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []nodesAnswer{{Reports: []json.RawMessage{report}}, {Last: true, Sent: 1, Complete: true}} {
		body, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		if err := question.Answer(p, body); err != nil {
			t.Fatal(err)
		}
	}
	o := stopped(t, testkit.Receive(t, started, "the start"))
	if got := stateOf(o, "n"); got != NodeOnline {
		t.Errorf("when it has started, the node is %q", got)
	}
}

// TestAHeartbeatAtAReplicaThatMissedTheRegistration: it asks the others, before it tells the
// node to register again. A node that was removed at another replica stays removed.
func TestAHeartbeatAtAReplicaThatMissedTheRegistration(t *testing.T) {
	views := replicas(t, "a", "b", "c")
	a, b := startReplica(t, views[0]), startReplica(t, views[1])
	onePool(t, a)
	testkit.Eventually(t, "b knows the node and its owner", func() bool { return b.nodes.known("n") && b.nodes.ownedBy("n", Who{Identity: "n"}) })
	b.nodes.mu.Lock()
	b.nodes.forget("n")
	b.nodes.mu.Unlock()
	beat := func() error {
		_, err := b.Heartbeat(Who{Identity: "n"}, "n", nodeapi.HeartbeatRequest{Timestamp: time.Now(), Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: "m"}}})
		return err
	}
	if err := beat(); err != nil {
		t.Errorf("a heartbeat of a node that another replica knows: %v", err)
	}
	if err := a.RemoveNode(t.Context(), Who{Identity: "n"}, "n"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "b does not know the node", func() bool { return !b.nodes.known("n") })
	if e, _ := AsError(beat()); e == nil || e.Code != "NODE_NOT_FOUND" {
		t.Errorf("a heartbeat of a node that was removed: %v", e)
	}
	if late := startReplica(t, views[2]); stateOf(late, "n") != "" {
		t.Error("a replica that starts knows a node that was removed")
	}
}

// TestALostRemovalIsRepeated has a removal of which the message to the other replica was lost.
func TestALostRemovalIsRepeated(t *testing.T) {
	views := replicas(t, "a", "b")
	told := make(chan nodeReport, 1000)
	stop, err := views[1].Peers().Subscribe(topicReport, func(m store.PeerMessage) {
		var r nodeReport
		if err := json.Unmarshal(m.Body, &r); err != nil {
			t.Error(err)
		}
		told <- r
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	a := startReplica(t, views[0])
	hear(a, "n", sharedNode{Removed: true, Registered: time.Now()}, 0) // and tells no replica
	select {
	case r := <-told:
		if r.ID != "n" || !r.Said.Removed {
			t.Errorf("got %+v, want the removal", r)
		}
	case <-time.After(testkit.Limit):
		t.Error("the removal is not repeated")
	}
}
