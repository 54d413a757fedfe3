package orchestrator

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func candidate(node, pool string, change func(*Candidate)) Candidate {
	c := Candidate{NodeID: node, PoolID: pool, Engine: "demo", Models: []string{"m"}, Online: true, Ready: true, SlotsFree: 1, SlotsTotal: 2}
	if change != nil {
		change(&c)
	}
	return c
}

func TestInfeasiblePoolsAreNamedWithTheirReason(t *testing.T) {
	for want, change := range map[string]func(*Candidate){
		"offline":      func(c *Candidate) { c.Online = false },
		"breaker_open": func(c *Candidate) { c.Tripped = true },
		"draining":     func(c *Candidate) { c.Draining = true },
		"not_ready":    func(c *Candidate) { c.Ready = false },
		"model":        func(c *Candidate) { c.Models = nil },
		"engine":       func(c *Candidate) { c.Engine = "vllm" },
		"avoided":      func(c *Candidate) { c.PoolID = "bad" },
		"device_mask":  func(c *Candidate) { c.Devices = []string{"0"} },
		"no_slot":      func(c *Candidate) { c.SlotsFree = 0 },
		"ctx":          func(c *Candidate) { c.Contexts = map[string]int64{"m": 2047} },
		"determinism":  func(c *Candidate) { c.Deterministic = false },
		"workload":     func(c *Candidate) { c.Workloads = []string{"embedding"} },
		"":             func(*Candidate) {},
	} {
		c := candidate("n", "p", func(c *Candidate) { c.Devices, c.Deterministic = []string{"0", "1"}, true; change(c) })
		n := Needs{Model: "m", Engine: "demo", Context: 2048, Strict: true, Hint: PlacementHint{AvoidPools: []string{"bad"}, RequireDeviceMask: "0, 1"}}
		d := Place(n, []Candidate{c}, MostFreeVRAM, 0)
		if got := d.Considered[0].Reason; got != want || (d.Chosen != nil) != (want == "") {
			t.Errorf("got reason %q, chosen %v, want %q", got, d.Chosen, want)
		}
	}
}

func TestStrategies(t *testing.T) {
	pools := []Candidate{
		candidate("a", "1", func(c *Candidate) { c.VRAMFreeBytes, c.SlotsFree, c.SlotsTotal = 10, 1, 8 }),
		candidate("a", "2", func(c *Candidate) { c.VRAMFreeBytes, c.SlotsFree, c.SlotsTotal = 30, 2, 8 }),
		candidate("b", "1", func(c *Candidate) { c.VRAMFreeBytes, c.SlotsFree, c.SlotsTotal = 30, 1, 2 }),
	}
	for _, c := range []struct {
		strategy Strategy
		turn     uint64
		want     string
	}{
		{MostFreeVRAM, 0, "a/2"}, {MostFreeVRAM, 7, "a/2"}, {LeastLoaded, 0, "b/1"},
		{RoundRobin, 0, "a/1"}, {RoundRobin, 1, "a/2"}, {RoundRobin, 2, "b/1"}, {RoundRobin, 3, "a/1"},
	} {
		for range 5 { // the order of the candidates does not matter
			rand.Shuffle(len(pools), func(i, j int) { pools[i], pools[j] = pools[j], pools[i] })
			got := Place(Needs{Model: "m"}, pools, c.strategy, c.turn).Chosen
			if poolKey(got.NodeID, got.PoolID) != c.want {
				t.Errorf("%s, turn %d: got %s/%s, want %s", c.strategy, c.turn, got.NodeID, got.PoolID, c.want)
			}
		}
	}
}

func TestHints(t *testing.T) {
	yes, no := true, false
	full := func(c *Candidate) { c.SlotsFree = 0 }
	type answer struct {
		Pool             string
		Pinned, Fallback bool
	}
	for name, c := range map[string]struct {
		hint   PlacementHint
		change func(*Candidate) // of pool 2
		want   answer
	}{
		"pin":                    {PlacementHint{Mode: "pin", PinPoolID: "2"}, nil, answer{"2", true, false}},
		"pin, full":              {PlacementHint{Mode: "pin", PinPoolID: "2"}, full, answer{"", true, false}},
		"pin, full, may go":      {PlacementHint{Mode: "pin", PinPoolID: "2", AllowFallback: &yes}, full, answer{"1", true, true}},
		"prefer":                 {PlacementHint{Mode: "prefer", PreferPools: []string{"2"}}, nil, answer{"2", false, false}},
		"prefer, full":           {PlacementHint{Mode: "prefer", PreferPools: []string{"2"}}, full, answer{"1", false, true}},
		"prefer, full, may not":  {PlacementHint{Mode: "prefer", PreferPools: []string{"2"}, AllowFallback: &no}, full, answer{"", false, false}},
		"avoid both":             {PlacementHint{AvoidPools: []string{"1", "2"}}, nil, answer{"", false, false}},
		"pin and avoid the same": {PlacementHint{Mode: "pin", PinPoolID: "2", AvoidPools: []string{"2"}}, nil, answer{"", true, false}},
	} {
		pools := []Candidate{candidate("n", "1", nil), candidate("n", "2", c.change)}
		d := Place(Needs{Model: "m", Hint: c.hint}, pools, MostFreeVRAM, 0)
		got := answer{Pinned: d.Pinned, Fallback: d.Fallback}
		if d.Chosen != nil {
			got.Pool = d.Chosen.PoolID
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAPoolThatFailedThisTaskIsTheLastChoice(t *testing.T) {
	pools := []Candidate{candidate("n", "1", nil), candidate("n", "2", nil)}
	if got := Place(Needs{Model: "m", Failed: []string{"n/1"}}, pools, MostFreeVRAM, 0).Chosen; got.PoolID != "2" {
		t.Errorf("got %s, want 2", got.PoolID)
	}
	if got := Place(Needs{Model: "m", Failed: []string{"n/1"}}, pools[:1], MostFreeVRAM, 0).Chosen; got == nil {
		t.Error("got nothing, want the only pool there is")
	}
}

// TestALoadedPoolGoesBeforeOneThatWouldHaveToLoad: the latter has more memory
// free for that very reason.
func TestALoadedPoolGoesBeforeOneThatWouldHaveToLoad(t *testing.T) {
	empty := candidate("a", "1", func(c *Candidate) { c.VRAMFreeBytes, c.SlotsFree, c.Loadable = 80, 2, true })
	loaded := candidate("b", "1", func(c *Candidate) { c.VRAMFreeBytes = 1 })
	for _, s := range []Strategy{MostFreeVRAM, LeastLoaded, RoundRobin} {
		if got := Place(Needs{Model: "m"}, []Candidate{empty, loaded}, s, 0).Chosen; got.NodeID != "b" {
			t.Errorf("%s: got %s, want the loaded one", s, got.NodeID)
		}
	}
	loaded.SlotsFree = 0
	if got := Place(Needs{Model: "m"}, []Candidate{empty, loaded}, MostFreeVRAM, 0).Chosen; got == nil || got.NodeID != "a" {
		t.Errorf("the loaded one is full: got %v", got)
	}
	if got := Place(Needs{Model: "m", Hint: PlacementHint{Mode: "pin", PinPoolID: "a/1"}, Home: "a/1"}, []Candidate{empty, candidate("b", "1", nil)}, MostFreeVRAM, 0).Chosen; got.NodeID != "a" {
		t.Errorf("a session's home is left: got %s", got.NodeID)
	}
}
