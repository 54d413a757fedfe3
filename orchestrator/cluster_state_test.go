package orchestrator_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestANodesReportReachesEveryReplicaAndNoDisk(t *testing.T) {
	t.Parallel()
	dir, rs := cluster(t, orchestrator.Config{}, "a", "b")
	a, b := rs[0], rs[1]
	p := newPool(t, echo(1))
	n := orchestrator.Who{Identity: "n"}
	b.node("n", p, 0)
	testkit.Eventually(t, "a knows the node", func() bool { return len(a.Nodes()) == 1 })
	id := a.take(nil)
	now := time.Now()
	heartbeat := func(r *replica, at time.Time) error {
		_, err := r.Heartbeat(n, "n", nodeapi.HeartbeatRequest{Timestamp: at, Pools: p.registration("", 1).Pools})
		return err
	}
	if err := heartbeat(b, now); err != nil { // now it has a slot
		t.Fatal(err)
	}
	a.becomes(id, orchestrator.Completed) // with the token that b was told
	for _, r := range rs {
		testkit.Eventually(t, "a replay is known at "+r.name, func() bool { return heartbeat(r, now) != nil })
	}
	if err := heartbeat(a, now.Add(time.Second)); err != nil {
		t.Errorf("the next one elsewhere: %v", err)
	}
	if _, err := b.RegisterNode(t.Context(), orchestrator.Who{Identity: "mallory"}, p.registration("n", 1)); err == nil {
		t.Error("another identity took the node over at another replica")
	}
	if found := grep(t, filepath.Join(dir, "jetstream"), nodeToken); found != "" {
		t.Errorf("the node's token is in %s", found)
	}
	if err := a.RemoveNode(t.Context(), n, "n"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "b does not know the node", func() bool { return len(b.Nodes()) == 0 })
	b.node("n", p, 1)
	testkit.Eventually(t, "a knows it again", func() bool { return len(a.Nodes()) == 1 })
}

func TestTheCatalogIsOne(t *testing.T) {
	t.Parallel()
	models := t.TempDir()
	if err := os.WriteFile(filepath.Join(models, "m"), []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, rs := cluster(t, orchestrator.Config{Settings: orchestrator.Settings{ModelRoot: models}}, "a", "b")
	a, b := rs[0], rs[1]
	if _, err := b.AddModel(t.Context(), root, orchestrator.ModelRequest{ID: "m", Digest: digest("weights"), SourceURL: "file:m"}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.CatalogModel("m"); err != nil { // at once
		t.Error(err)
	}
	if _, err := a.AddModel(t.Context(), root, orchestrator.ModelRequest{ID: "m", Digest: digest("other"), SourceURL: "file:m"}); err == nil {
		t.Error("the id was taken twice")
	}
	if _, err := b.VerifyModel(t.Context(), "m"); err != nil { // a is the one that reads
		t.Fatal(err)
	}
	for _, r := range rs {
		testkit.Eventually(t, r.name+" knows that it is verified", func() bool {
			m, err := r.CatalogModel("m")
			return err == nil && m.Verification.Status == orchestrator.Verified
		})
	}
	for i := range 10 { // both change it in turns, each right after the other
		state := []orchestrator.ModelState{orchestrator.ModelActive, orchestrator.ModelRetired}[i%2]
		if m, err := rs[i%2].SetModelState(t.Context(), "m", state, 0); err != nil || m.State != state || m.Verification.Status != orchestrator.Verified {
			t.Errorf("change %d: got %v, %v", i, m, err)
		}
	}
	testkit.Eventually(t, "a takes no task for it", func() bool {
		_, err := a.Submit(t.Context(), ci, orchestrator.TaskRequest{ModelRef: "m", Prompt: "x"}, "")
		return err != nil
	})
	if err := b.RemoveModel(t.Context(), "m"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it is gone at a", func() bool { return a.Catalog(10, "").Count == 0 })
}

func TestArtifactsAreEverywhere(t *testing.T) {
	t.Parallel()
	_, rs := cluster(t, orchestrator.Config{}, "a", "b")
	a, b := rs[0], rs[1]
	keep := func(r *replica, content, parent string) (orchestrator.Artifact, error) {
		return r.KeepArtifact(t.Context(), ci, orchestrator.ArtifactRequest{Kind: "logs", Content: json.RawMessage(content), Parent: parent})
	}
	first, err := keep(a, `{"x":1}`, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Artifact(t.Context(), ci, first.ID); err != nil || string(got.Content) != `{"x":1}` {
		t.Errorf("at the other replica: got %s, %v", got.Content, err)
	}
	if again, err := keep(b, `{"x":1}`, ""); err != nil || !again.CreatedAt.Equal(first.CreatedAt) {
		t.Errorf("the same again: got %v, %v", again, err)
	}
	second, err := keep(b, `{"x":2}`, first.ID)
	if err != nil {
		t.Errorf("a child of it: %v", err)
	}
	if _, err := a.Artifact(t.Context(), root, second.ID); err != nil {
		testkit.Eventually(t, "an administrator sees it", func() bool { _, err := a.Artifact(t.Context(), root, second.ID); return err == nil })
	}
	if _, err := a.Artifact(t.Context(), orchestrator.Who{Identity: "eve"}, second.ID); err == nil {
		t.Error("another identity sees it")
	}
}
