package orchestrator

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// startNodes starts the registry of a replica, without the rest of it, over a state directory
// that has a file of known nodes; n is the node id that has an owner.
func startNodes(t *testing.T, view, dir *store.Store, file string) *nodes {
	t.Helper()
	if err := dir.SaveFile(keptFile, []byte(file)); err != nil {
		t.Fatal(err)
	}
	ns := newNodes(Config{Store: view, Log: slog.New(slog.DiscardHandler), Now: time.Now, Settings: Settings{NodeTimeout: 30 * time.Second}}, func() {})
	ns.kept.store = dir
	ns.observeOwner(store.Entry{Key: "n", Value: []byte("n")})
	watching, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	t.Cleanup(func() {
		stop()
		work.Wait()
	})
	if err := ns.start(t.Context(), watching, &work); err != nil {
		t.Fatal(err)
	}
	return ns
}

// TestKnownNodesAfterARestartOfAllReplicas: the replica that starts first remembers the nodes
// from its file, and reports none of them to the next one, which has to remember them itself.
func TestKnownNodesAfterARestartOfAllReplicas(t *testing.T) {
	const file = `[{"id":"n","owner":"n","address":"http://127.0.0.1:1","pools":[{"pool_id":"p","model_ref":"m"}]}]`
	views := replicas(t, "a", "b", "c")
	a := startNodes(t, views[0], openStore(t), file)
	b := startNodes(t, views[1], openStore(t), file)
	for name, ns := range map[string]*nodes{"a": a, "b": b} {
		if _, served := ns.offered(Needs{Model: "m"}); !served {
			t.Errorf("%s does not know the node's model", name)
		}
	}
	a.withdraw("n")
	if c := startNodes(t, views[2], openStore(t), file); len(c.list()) != 0 {
		t.Error("a node that was removed meanwhile is remembered")
	}
}

// TestAReplicaSaysHelloBeforeItAsks: until its first hello, the others take a replica that is
// connected for one of an earlier version.
func TestAReplicaSaysHelloBeforeItAsks(t *testing.T) {
	views := replicas(t, "a", "b")
	heard := make(chan string, 100)
	stop, err := views[0].Peers().Subscribe("nodes.>", func(m store.PeerMessage) { heard <- string(m.Body) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	startNodes(t, views[1], openStore(t), "[]")
	if first := testkit.Receive(t, heard, "a message"); first != "" { // a hello has no body
		t.Errorf("the first message is %s", first)
	}
}
