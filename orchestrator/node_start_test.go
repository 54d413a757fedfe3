package orchestrator

import (
	"testing"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestKnownNodesAfterARestartOfAllReplicas: the replica that starts first remembers the nodes
// from its file, and reports none of them to the next one, which has to remember them itself.
func TestKnownNodesAfterARestartOfAllReplicas(t *testing.T) {
	views := replicas(t, "a", "b") // of one directory, and so with one file
	file := []byte(`[{"id":"n","owner":"n","address":"http://127.0.0.1:1","pools":[{"pool_id":"p","model_ref":"m"}]}]`)
	save := func() {
		t.Helper()
		if err := views[0].SaveFile(keptFile, file); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := views[0].Bucket(store.NodeOwners).Create(t.Context(), "n", []byte("n")); err != nil {
		t.Fatal(err)
	}
	save()
	a := startReplica(t, views[0])
	save() // the first one may have written it already
	b := startReplica(t, views[1])
	for name, o := range map[string]*Orchestrator{"a": a, "b": b} {
		if got := stateOf(o, "n"); got != NodeOffline {
			t.Errorf("%s: the node is %q, want offline", name, got)
		}
		if _, err := o.Submit(t.Context(), ci, TaskRequest{ModelRef: "m", Prompt: "x"}, ""); err != nil {
			t.Errorf("%s: a task for its model: %v", name, err)
		}
	}
	if err := a.RemoveNode(t.Context(), Who{Identity: "n"}, "n"); err != nil {
		t.Fatal(err)
	}
	save()
	if a.nodes.recall(); stateOf(a, "n") != "" {
		t.Error("a node that was removed is remembered")
	}
}
