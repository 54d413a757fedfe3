package orchestrator

import (
	"testing"

	"github.com/llorch/gateway/authmin"
)

// A task that another replica takes over, or that waits over a restart, keeps the models
// of its identity: none is not every model.
func TestARecordKeepsTheModelsOfItsIdentity(t *testing.T) {
	few, err := authmin.ParseModels("tiny,team-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []*authmin.Models{nil, few, new(authmin.Models)} {
		value, err := record{Task: Task{TaskID: "a"}, Request: &TaskRequest{ModelRef: "tiny", models: want}}.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeRecord(value)
		if err != nil {
			t.Fatal(err)
		}
		if m := got.Request.models; m.String() != want.String() || (m == nil) != (want == nil) {
			t.Errorf("got %q from %s, want %q", m, value, want)
		}
		if needs := got.Request.needs("tiny"); needs.Models != got.Request.models || needs.key() == (Needs{Model: "tiny"}).key() && want != nil {
			t.Error("placement does not see the models, or takes two tasks for alike")
		}
	}
	broken := "tiny, big"
	if m := modelsOf(&broken); m == nil || m.Allow("tiny") {
		t.Error("a list that cannot be read allows a model")
	}
}
