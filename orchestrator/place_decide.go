package orchestrator

import (
	"cmp"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// Strategy chooses among pools that could all run a task.
type Strategy string

// The strategies. MostFreeVRAM is the default.
const (
	MostFreeVRAM Strategy = "most-free-vram"
	LeastLoaded  Strategy = "least-loaded"
	RoundRobin   Strategy = "round-robin"
)

// Valid reports whether the strategy is one of the three.
func (s Strategy) Valid() bool { return s == MostFreeVRAM || s == LeastLoaded || s == RoundRobin }

// Needs is what a task demands of a pool.
type Needs struct {
	Model    string
	Workload string           // empty: completion
	Protocol nodeapi.Protocol // of a native call
	Engine   string           // empty: any
	Hint     PlacementHint
	Home     string // the pool with the session's KV cache, as poolKey; empty: none
	// Attribution names a conversation of the task's owner; "" for none. It is no part of
	// what a pool must have.
	Attribution string
	Failed      []string        // pools that failed this very task: last choice
	Spent       []string        // models whose attempts the task has used up
	Models      *authmin.Models // that it may fall back to; nil: every model
	Context     int64           // tokens; 0: any
	Strict      bool            // the pool must be deterministic, and the model the one that is named
}

// Candidate is a pool as placement sees it.
type Candidate struct {
	NodeID, PoolID, Engine           string
	Models, Devices                  []string
	Workloads                        []string // empty: completion only
	Protocols                        []nodeapi.Protocol
	Contexts                         map[string]int64 // tokens, by model, where the engine tells
	Deterministic                    bool             // see nodeapi.WithDeterminism
	Online, Ready, Draining, Tripped bool
	SlotsFree, SlotsTotal            int
	VRAMFreeBytes                    int64
	Loadable                         bool  // its model would have to be loaded first
	Rests                            pause // it is busy, and left alone
	State, LastError                 string
	Restarts                         int  // with State and LastError, of one that is not ready
	Returning                        bool // known from before the start: its node has not registered again yet
}

// Judged is a candidate and why it was not feasible; empty when it was.
type Judged struct {
	NodeID, PoolID, Reason string
}

// Decision is where a task goes, and why.
type Decision struct {
	Chosen     *Candidate // nil: nowhere now
	Considered []Judged
	Pinned     bool
	Fallback   bool // none of the wanted pools was feasible
}

// Place decides where a task goes. It is a pure function: turn is the number of
// placements before this one, and matters to RoundRobin alone.
func Place(n Needs, candidates []Candidate, s Strategy, turn uint64) Decision {
	d := Decision{Pinned: n.Hint.Mode == "pin"}
	var feasible []Candidate
	for _, c := range candidates {
		reason := infeasible(n, c)
		d.Considered = append(d.Considered, Judged{c.NodeID, c.PoolID, reason})
		if reason == "" {
			feasible = append(feasible, c)
		}
	}
	wanted := feasible
	if wants := n.Hint.wants(); len(wants) > 0 {
		wanted = slices.DeleteFunc(slices.Clone(feasible), func(c Candidate) bool {
			return !slices.ContainsFunc(wants, func(name string) bool { return meaning(name, c, candidates) })
		})
		if len(wanted) == 0 && n.Hint.fallback() {
			wanted, d.Fallback = feasible, len(feasible) > 0
		}
	}
	if fresh := slices.DeleteFunc(slices.Clone(wanted), func(c Candidate) bool { return slices.Contains(n.Failed, poolKey(c.NodeID, c.PoolID)) }); len(fresh) > 0 {
		wanted = fresh
	}
	if at := slices.IndexFunc(wanted, func(c Candidate) bool { return poolKey(c.NodeID, c.PoolID) == n.Home }); at >= 0 {
		wanted = wanted[at : at+1]
	}
	if loaded := slices.DeleteFunc(slices.Clone(wanted), func(c Candidate) bool { return c.Loadable }); len(loaded) > 0 {
		wanted = loaded // it has the most free memory, and is the slowest
	}
	if len(wanted) > 0 {
		d.Chosen = choose(wanted, s, turn)
	}
	return d
}

func infeasible(n Needs, c Candidate) string {
	switch {
	case !c.Online:
		return "offline"
	case c.Tripped:
		return "breaker_open"
	case c.Draining:
		return "draining"
	case !c.Ready:
		return "not_ready"
	case !c.holds(n.Model):
		return "model"
	case !n.fits(c):
		return n.misfit()
	case n.Engine != "" && n.Engine != c.Engine:
		return "engine"
	case !n.contextFits(c):
		return "ctx"
	case n.Strict && !c.Deterministic:
		return "determinism"
	case avoided(n.Hint.AvoidPools, c):
		return "avoided"
	case !hasDevices(n.Hint.RequireDeviceMask, c.Devices):
		return "device_mask"
	case c.SlotsFree <= 0:
		return "no_slot"
	}
	return ""
}

// fits reports whether the pool takes the workload, or speaks the protocol of a call.
func (n Needs) fits(c Candidate) bool {
	if n.Workload == Native {
		return slices.Contains(c.Protocols, n.Protocol)
	}
	return takes(c.Workloads, n.Workload)
}

// misfit names what a pool that does not fit lacks.
func (n Needs) misfit() string {
	if n.Workload == Native {
		return "protocol"
	}
	return "workload"
}

func hasDevices(mask string, devices []string) bool {
	for want := range strings.SplitSeq(mask, ",") {
		if want = strings.TrimSpace(want); want != "" && !slices.Contains(devices, want) {
			return false
		}
	}
	return true
}

// wants are the pools that the hint names; none for auto.
func (h PlacementHint) wants() []string {
	switch h.Mode {
	case "pin":
		return []string{h.PinPoolID}
	case "prefer":
		return h.PreferPools
	}
	return nil
}

func (h PlacementHint) fallback() bool {
	if h.AllowFallback != nil {
		return *h.AllowFallback
	}
	return h.Mode != "pin"
}

// only gives the candidates that the hint leaves: all, unless it insists on some.
func (h PlacementHint) only(all []Candidate) []Candidate {
	wants := h.wants()
	if len(wants) == 0 || h.fallback() {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(c Candidate) bool {
		return !slices.ContainsFunc(wants, func(name string) bool { return meaning(name, c, all) })
	})
}

func choose(cs []Candidate, s Strategy, turn uint64) *Candidate {
	byName := func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.NodeID, b.NodeID), cmp.Compare(a.PoolID, b.PoolID))
	}
	slices.SortFunc(cs, func(a, b Candidate) int {
		switch s {
		case MostFreeVRAM:
			return cmp.Or(cmp.Compare(b.VRAMFreeBytes, a.VRAMFreeBytes), byName(a, b))
		case LeastLoaded: // a.free/a.total > b.free/b.total, without dividing
			return cmp.Or(cmp.Compare(b.SlotsFree*a.SlotsTotal, a.SlotsFree*b.SlotsTotal), byName(a, b))
		}
		return byName(a, b)
	})
	if s == RoundRobin {
		return &cs[turn%uint64(len(cs))]
	}
	return &cs[0]
}

// outcome is the label of placement_decisions_total.
func (d Decision) outcome() string {
	if d.Chosen == nil {
		return "none"
	}
	return "placed"
}
