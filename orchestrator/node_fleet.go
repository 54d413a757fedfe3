package orchestrator

import (
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// PoolHealth is how a pool is.
type PoolHealth struct {
	PoolID     string `json:"pool_id"`
	Live       bool   `json:"live"`
	Ready      bool   `json:"ready"`
	Draining   bool   `json:"draining"`
	SlotsFree  int    `json:"slots_free"`
	SlotsTotal int    `json:"slots_total"`
	QueueDepth int    `json:"queue_depth" doc:"Tasks that wait, for any pool"`
	LastError  string `json:"last_error"`
	Replicas   int    `json:"replicas,omitempty" doc:"External ones that were registered"`
}

// PoolHealth says how the one pool of this name is, as its node last reported.
func (o *Orchestrator) PoolHealth(name string) (PoolHealth, error) {
	begin := o.now()
	defer func() { o.metrics.poolCheckTime.Observe(o.now().Sub(begin)) }()
	node, id, err := o.nodes.lookUpPool(name)
	if err != nil {
		o.metrics.poolChecks.WithLabelValues("other", "unknown").Inc()
		return PoolHealth{}, err
	}
	h := PoolHealth{PoolID: id, QueueDepth: o.queue.depth(Interactive) + o.queue.depth(Batch)}
	h.Replicas = o.workers.count(poolKey(node, id), o.now())
	for _, c := range o.nodes.candidates() {
		if c.NodeID != node || c.PoolID != id {
			continue
		}
		h.Live, h.Ready, h.Draining = c.Online, c.Online && c.Ready, c.Draining
		h.SlotsTotal, h.SlotsFree = c.SlotsTotal, max(0, c.SlotsFree)
		if !c.Online {
			h.LastError = "node " + c.NodeID + " is offline"
		}
	}
	o.metrics.poolChecks.WithLabelValues(o.metrics.pools.value(id), map[bool]string{true: "ready", false: "not_ready"}[h.Ready]).Inc()
	return h, nil
}

// Abilities is what the whole can do now.
type Abilities struct {
	Engines   []string `json:"engines" nullable:"false"`
	Models    []string `json:"models" nullable:"false"`
	Workloads []string `json:"workloads" nullable:"false"`
	Queue     struct {
		Capacity   int      `json:"capacity"`
		Policy     string   `json:"policy"`
		Priorities []string `json:"priorities" nullable:"false"`
	} `json:"queue"`
	SlotsTotal int `json:"slots_total"`
	SlotsFree  int `json:"slots_free"`
}

// Abilities says what the online nodes can do, of their models those that a list allows.
func (o *Orchestrator) Abilities(allowed *authmin.Models) Abilities {
	c := Abilities{Engines: []string{}, Models: o.Models(allowed), Workloads: []string{}}
	c.Queue.Capacity, c.Queue.Policy = o.queue.capacity, string(o.rules.policy)
	c.Queue.Priorities = []string{string(Interactive), string(Batch)}
	for _, p := range o.nodes.candidates() {
		if !p.Online {
			continue
		}
		c.Engines = append(c.Engines, p.Engine)
		c.Workloads = append(c.Workloads, offers(p.Workloads)...)
		c.SlotsTotal += p.SlotsTotal
		c.SlotsFree += max(0, p.SlotsFree)
	}
	c.Engines, c.Workloads = sortedSet(c.Engines), sortedSet(c.Workloads)
	return c
}

func sortedSet(names []string) []string {
	slices.SortFunc(names, strings.Compare)
	return slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
}
