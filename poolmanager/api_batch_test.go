package poolmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestADemoPoolEmbedsAndReranksTheSameEachTime(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	for _, task := range []nodeapi.DispatchRequest{
		{Workload: "embedding", Inputs: []string{"one text", "another"}},
		{Workload: "rerank", Prompt: "red apple", Inputs: []string{"a green pear", "a red apple"}},
	} {
		events, err := r.run(t, "p", task)
		if err != nil || len(events) != 3 || events[2].Type != nodeapi.EventEnd || events[2].TokensIn < 3 {
			t.Fatalf("%s: got %+v, %v", task.Workload, events, err)
		}
		again, err := r.run(t, "p", task)
		if diff := cmp.Diff(events[:2], again[:2]); diff != "" || err != nil {
			t.Errorf("%s again: %v\n%s", task.Workload, err, diff)
		}
		if task.Workload == "rerank" && events[0].Score >= events[1].Score {
			t.Errorf("the document with the query's words has score %v, the other %v", events[1].Score, events[0].Score)
		}
	}
	if s := r.status(t, "p"); !slices.Equal(s.Workloads, allWorkloads) || s.SlotsFree != 4 {
		t.Errorf("status %+v", s)
	}
}

func TestAPoolWithoutTheWorkloadSaysSo(t *testing.T) {
	r := startRig(t, func(o *Options) { o.Templates[0].Workloads = []string{nodeapi.WorkloadEmbedding} })
	r.ready(t, "p", "demo", "")
	for _, task := range []nodeapi.DispatchRequest{{Prompt: "x"}, {Workload: "rerank", Prompt: "x", Inputs: []string{"a"}}} {
		_, err := r.run(t, "p", task)
		var refused *nodeapi.StatusError
		if !errors.As(err, &refused) || refused.Status != 422 || refused.Code != "WORKLOAD_NOT_SUPPORTED" {
			t.Errorf("%+v: got %v", task, err)
		}
	}
	if events, err := r.run(t, "p", nodeapi.DispatchRequest{Workload: "embedding", Inputs: []string{"a"}}); err != nil || len(events) != 2 {
		t.Errorf("got %+v, %v", events, err)
	}
	p, err := r.pools.find("p")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.report().Workloads; !slices.Equal(got, []string{nodeapi.WorkloadEmbedding, "call1:embeddings,ollama", "deterministic1", "context1:131072"}) {
		t.Errorf("the orchestrator is told %v", got)
	}
}

func TestATaskHasExactlyTheFieldsOfItsWorkload(t *testing.T) {
	many := make([]string, nodeapi.MaxInputs+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	turn := []nodeapi.Message{{Role: "user", Content: "x"}}
	for name, task := range map[string]nodeapi.DispatchRequest{
		"unknown workload":          {Workload: "training", Prompt: "x"},
		"completion of inputs":      {Prompt: "x", Inputs: []string{"x"}},
		"embedding of nothing":      {Workload: "embedding"},
		"embedding of a prompt":     {Workload: "embedding", Prompt: "x", Inputs: []string{"x"}},
		"embedding of messages":     {Workload: "embedding", Messages: turn, Inputs: []string{"x"}},
		"embedding of an empty one": {Workload: "embedding", Inputs: []string{"x", ""}},
		"too many":                  {Workload: "embedding", Inputs: many},
		"rerank without a query":    {Workload: "rerank", Inputs: []string{"x"}},
		"rerank of messages":        {Workload: "rerank", Prompt: "x", Messages: turn, Inputs: []string{"x"}},
		"rerank of nothing":         {Workload: "rerank", Prompt: "x"},
	} {
		if err := checkTask(task); !errors.Is(err, errTask) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := checkTask(nodeapi.DispatchRequest{Workload: "embedding", Inputs: many[:nodeapi.MaxInputs]}); err != nil {
		t.Error(err)
	}
}

func TestHangingUpOnABatchFreesTheSlotInTheEngineToo(t *testing.T) {
	r := startRig(t, func(o *Options) {
		o.Templates[0].Slots = 1
		o.Templates[0].Command = append(o.Templates[0].Command, "--token-delay", "1h")
	})
	r.ready(t, "p", "demo", "")
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	task := nodeapi.DispatchRequest{Workload: "embedding", Inputs: []string{"a"}}
	stream, err := r.client.Dispatch(ctx, "p", task)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	testkit.Eventually(t, "the engine to work", func() bool { return engineSlotsBusy(t, r, "p") == 1 })
	if _, err := r.run(t, "p", task); statusOf(err) != 429 {
		t.Errorf("second batch: got %v, want 429", err)
	}
	hangUp()
	testkit.Eventually(t, "the slot to be free", func() bool {
		return r.status(t, "p").SlotsFree == 1 && engineSlotsBusy(t, r, "p") == 0
	})
}
