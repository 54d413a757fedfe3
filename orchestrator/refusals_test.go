package orchestrator

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// refusedAs checks that an error is a refusal of this kind, with this code.
func refusedAs(t *testing.T, what string, err error, kind Kind, code string) {
	t.Helper()
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != kind || e.Code != code {
		t.Errorf("%s: got %v, want kind %v and code %s", what, err, kind, code)
	}
}

// TestWhatCannotBeANodeIsRefused changes one thing of a registration that is taken.
func TestWhatCannotBeANodeIsRefused(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	good := func() nodeapi.RegisterRequest {
		return nodeapi.RegisterRequest{
			NodeID: "node", MachineID: "m", Version: "1", Address: "http://127.0.0.1:9200", DispatchToken: "node-token-of-at-least-32-characters",
			Pools: []nodeapi.Pool{{PoolID: "p", Engine: "demo", Models: []string{"demo"}, SlotsTotal: 1, SlotsFree: 1}},
		}
	}
	if _, err := o.RegisterNode(t.Context(), ci, good()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(r *nodeapi.RegisterRequest){
		"a node id with a slash":      func(r *nodeapi.RegisterRequest) { r.NodeID = "../n" },
		"no node id":                  func(r *nodeapi.RegisterRequest) { r.NodeID = "" },
		"a pool id with a slash":      func(r *nodeapi.RegisterRequest) { r.Pools[0].PoolID = "n/p" },
		"a pool twice":                func(r *nodeapi.RegisterRequest) { r.Pools = append(r.Pools, r.Pools[0]) },
		"too many pools":              func(r *nodeapi.RegisterRequest) { r.Pools = manyPools(MaxPoolsPerNode + 1) },
		"less than no memory":         func(r *nodeapi.RegisterRequest) { r.Pools[0].VRAMFreeBytes = -1 },
		"a model_ref with a control":  func(r *nodeapi.RegisterRequest) { r.Pools[0].ModelRef = "a\nb" },
		"a model without a name":      func(r *nodeapi.RegisterRequest) { r.Pools[0].Models = []string{""} },
		"a workload without a name":   func(r *nodeapi.RegisterRequest) { r.Pools[0].Workloads = []string{""} },
		"a machine id with a control": func(r *nodeapi.RegisterRequest) { r.MachineID = "a\x1b[2J" },
		"less than no cores":          func(r *nodeapi.RegisterRequest) { r.Capabilities.CPUCores = -1 },
		"less than no main memory":    func(r *nodeapi.RegisterRequest) { r.Capabilities.RAMTotalBytes = -1 },
		"a token that no header has":  func(r *nodeapi.RegisterRequest) { r.DispatchToken = "two words of a sentence that is long enough" },
		"a device with a control":     func(r *nodeapi.RegisterRequest) { r.Capabilities.GPUs = []nodeapi.GPU{{DeviceID: "a\nb"}} },
	} {
		r := good()
		change(&r)
		_, err := o.RegisterNode(t.Context(), ci, r)
		refusedAs(t, name, err, Invalid, "INVALID_NODE")
	}
	if nodes := o.Nodes(); len(nodes) != 2 || nodes[1].NodeID != "node" || len(nodes[1].Pools) != 1 {
		t.Errorf("after all refusals: got %v, want the node of the kit and node with its pool", nodes)
	}
}

func manyPools(n int) (all []nodeapi.Pool) {
	for i := range n {
		all = append(all, nodeapi.Pool{PoolID: fmt.Sprint("p", i)})
	}
	return all
}

// TestAReportFitsIntoAMessage: a registration of 1 MiB is six times as long in the message
// for the other replicas.
func TestAReportFitsIntoAMessage(t *testing.T) {
	p := &nodePeers{}
	large := sharedNode{Pools: []nodeapi.Pool{{PoolID: "p", ModelRef: strings.Repeat("<", store.MaxRecordBytes/6)}}}
	_, err := p.encode("n", large, 0)
	refusedAs(t, "over a record", err, Invalid, "INVALID_NODE")
	if message, err := p.encode("n", sharedNode{}, 0); err != nil || len(message) == 0 {
		t.Errorf("a small one: got %d bytes, %v", len(message), err)
	}
}

func TestNodeIDsAreBounded(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	register := func(who, id string) error {
		_, err := o.RegisterNode(t.Context(), Who{Identity: who}, nodeapi.RegisterRequest{
			NodeID: id, Address: "http://127.0.0.1:9200", DispatchToken: "node-token-of-at-least-32-characters"})
		return err
	}
	owned := func(who string, n int) {
		o.nodes.mu.Lock()
		defer o.nodes.mu.Unlock()
		for i := range n {
			o.nodes.owners[fmt.Sprint(who, i)] = who
		}
	}
	owned("one", maxOwned)
	refusedAs(t, "one id too many of one identity", register("one", "x"), Busy, "TOO_MANY_NODES")
	if err := register("two", "y"); err != nil {
		t.Errorf("another identity: %v", err)
	}
	owned("others", maxOwners)
	refusedAs(t, "one id too many of all", register("three", "z"), Busy, "TOO_MANY_NODES")
}

func TestTheCatalogsBoundsAreKept(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	digest := "sha256:" + strings.Repeat("0", 64)
	add := func(id, sbom string) error {
		_, err := o.AddModel(t.Context(), ci, ModelRequest{ID: id, Digest: digest, SourceURL: "file:m", SBOM: sbom})
		return err
	}
	fill := func(n int, v VerificationStatus) {
		o.catalog.mu.Lock()
		defer o.catalog.mu.Unlock()
		for i := range n {
			id := fmt.Sprint(v, i)
			o.catalog.models[id] = &cached[Model]{value: Model{ModelRequest: ModelRequest{ID: id}, CreatedBy: ci.Identity, Verification: Verification{Status: v}}}
		}
	}
	refusedAs(t, "a large record", add("large", strings.Repeat("x", maxModelRecord)), TooLarge, "MODEL_TOO_LARGE")
	if err := add("m", ""); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, "the same id", add("m", ""), Conflict, "MODEL_EXISTS")
	fill(maxChecks, Verifying)
	_, err := o.VerifyModel(t.Context(), "m")
	refusedAs(t, "one check too many", err, Busy, "TOO_MANY_VERIFICATIONS")
	fill(MaxModels, Unverified)
	refusedAs(t, "one model too many", add("more", ""), Busy, "CATALOG_FULL")
}

// TestTasksThatCannotBeAreRefused by the domain itself, which does not rely on the API.
func TestTasksThatCannotBeAreRefused(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	digest := "sha256:" + strings.Repeat("0", 64)
	if _, err := o.AddModel(t.Context(), ci, ModelRequest{ID: "m", Digest: digest, SourceURL: "file:m"}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(r *TaskRequest){
		"no model":                  func(r *TaskRequest) { r.ModelRef = "" },
		"an empty stop sequence":    func(r *TaskRequest) { r.Stop = []string{"a", ""} },
		"a pin without a pool":      func(r *TaskRequest) { r.Placement = &PlacementHint{Mode: "pin"} },
		"a pin to no pool's name":   func(r *TaskRequest) { r.Placement = &PlacementHint{Mode: "pin", PinPoolID: "n/p/q"} },
		"no pool's name to avoid":   func(r *TaskRequest) { r.Placement = &PlacementHint{AvoidPools: []string{"a b"}} },
		"no pool's name to prefer":  func(r *TaskRequest) { r.Placement = &PlacementHint{PreferPools: []string{""}} },
		"an id that is no UUID":     func(r *TaskRequest) { r.TaskID = "1" },
		"another class":             func(r *TaskRequest) { r.Priority = "urgent" },
		"too many tokens":           func(r *TaskRequest) { r.MaxTokens = MaxMaxTokens + 1 },
		"a deadline in the past":    func(r *TaskRequest) { r.DeadlineMS = -1 },
		"a limit that is too long":  func(r *TaskRequest) { r.StreamLimitMS = MaxDeadline.Milliseconds() + 1 },
		"a native call without one": func(r *TaskRequest) { r.Workload = Native },
	} {
		r := TaskRequest{ModelRef: "m", Prompt: "x"}
		change(&r)
		_, err := o.Submit(t.Context(), ci, r, "")
		refusedAs(t, name, err, Invalid, "INVALID_TASK")
	}
	_, err := o.Tasks(ci, "", 1, "019b0000-0000-7000-8000-000000000000")
	refusedAs(t, "a cursor that is no task's", err, Invalid, "INVALID_CURSOR")
	if page, err := o.Tasks(ci, "", 1, ""); err != nil || len(page.Tasks) != 0 {
		t.Errorf("after all refusals: got %v, %v, want no task", page.Tasks, err)
	}
}
