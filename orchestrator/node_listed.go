package orchestrator

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
	"golang.org/x/sync/errgroup"
)

const (
	// listedFresh is how long the nodes' answers are cached: clients that poll a list do
	// not make as many requests to the nodes.
	listedFresh = 2 * time.Second
	// listedWait bounds asking all nodes, listedAtOnce pools at a time.
	listedWait = 2 * time.Second
	// listedAtOnce bounds how many pools are asked at a time.
	listedAtOnce = 16
)

// OllamaModel is a model of a pool that speaks Ollama's protocol, as its clients call it.
// What the engine does not tell is zero.
type OllamaModel struct {
	Name string
	nodeapi.ListedModel
	Context int64 // tokens that its context can have
}

// OllamaModels lists the models of the pools that speak Ollama's protocol that a list
// allows; with loaded those only that are in memory. A node that does not answer in time
// adds what it reported before.
func (o *Orchestrator) OllamaModels(ctx context.Context, allowed *authmin.Models, loaded bool) []OllamaModel {
	aliases := o.catalog.aliasesByID()
	pools := slices.DeleteFunc(o.nodes.candidates(), func(c Candidate) bool { return !slices.Contains(c.Protocols, nodeapi.Ollama) })
	heard := o.listings.get(ctx, o.now, pools, o.nodes.listed)
	all := map[string]OllamaModel{}
	for _, c := range pools {
		if loaded && !c.running() {
			continue
		}
		for _, own := range c.Models {
			id := o.catalog.resolve(own)
			one := OllamaModel{ListedModel: c.described(own, heard[poolKey(c.NodeID, c.PoolID)]), Context: c.Contexts[own]}
			if loaded && one.Running == nil {
				continue
			}
			if m, ok := o.catalog.get(id); ok {
				one.Digest = strings.TrimPrefix(m.Digest, "sha256:")
			}
			for _, name := range o.catalog.namesFor(own, aliases[id], allowed) {
				one.Name = tagged(name)
				if known, ok := all[one.Name]; !ok || known.Digest == "" {
					all[one.Name] = one
				}
			}
		}
	}
	list := make([]OllamaModel, 0, len(all))
	for _, m := range all {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b OllamaModel) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// running reports whether an engine of the pool has a model loaded now.
func (c Candidate) running() bool { return c.Online && c.Ready && !c.Loadable && !c.Draining }

// told is what the engines of pools tell of their models: by pool, then by the model's name
// without :latest.
type told map[string]map[string]nodeapi.ListedModel

// described is what a pool's engine tells of a model. If the node tells nothing, an engine
// with one model counts as having loaded it; not Ollama, which loads a model at the first
// request for it.
func (c Candidate) described(own string, heard map[string]nodeapi.ListedModel) nodeapi.ListedModel {
	m := heard[untagged(own)]
	if heard == nil && c.running() && c.Engine != ollama && c.hasOne() {
		m.Running = &nodeapi.RunningDetail{}
	}
	return m
}

// heard is what a node tells of the models that its pool has, and of no others: it goes to
// clients, and is kept for a moment.
func (c Candidate) heard(list []nodeapi.ListedModel) map[string]nodeapi.ListedModel {
	has := make(map[string]bool, len(c.Models))
	for _, own := range c.Models {
		has[untagged(own)] = true
	}
	all := make(map[string]nodeapi.ListedModel, len(has))
	for _, m := range list {
		name := untagged(m.Name)
		if _, known := all[name]; has[name] && !known {
			all[name] = checked(m)
		}
	}
	return all
}

// checked leaves out what no engine tells.
func checked(m nodeapi.ListedModel) nodeapi.ListedModel {
	m.SizeBytes = max(0, m.SizeBytes)
	if !hexDigest.MatchString(m.Digest) {
		m.Digest = ""
	}
	d := &m.Details
	for _, word := range []*string{&d.Format, &d.Family, &d.ParameterSize, &d.QuantizationLevel} {
		*word = strings.Clone(printable(*word, maxWord)) // which may be the beginning of a long one
	}
	m.ModifiedAt = inYears(m.ModifiedAt)
	if r := m.Running; r != nil {
		r.SizeBytes, r.VRAMBytes, r.ContextLength = max(0, r.SizeBytes), max(0, r.VRAMBytes), max(0, r.ContextLength)
		r.ExpiresAt = inYears(r.ExpiresAt)
	}
	return m
}

// hasOne reports whether the pool has one model.
func (c Candidate) hasOne() bool {
	names := map[string]bool{}
	for _, own := range c.Models {
		if own != "" {
			names[untagged(plainName(own))] = true
		}
	}
	return len(names) == 1
}

var hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// inYears is a time that JSON has, or none.
func inYears(t time.Time) time.Time {
	if t.Year() < 1 || t.Year() > 9998 { // a time zone may add a day
		return time.Time{}
	}
	return t.UTC()
}

// listings caches what nodes tell of the models of their pools.
type listings struct {
	turn  chan struct{} // capacity 1; guards at and pools, and the requests to the nodes
	at    time.Time
	pools told
}

func newListings() *listings { return &listings{turn: make(chan struct{}, 1)} }

// get gives the answers of the last two seconds, or asks; nil when ctx ends before.
func (l *listings) get(ctx context.Context, now func() time.Time, pools []Candidate, ask func(context.Context, []Candidate) told) told {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-l.turn }()
	if age := now().Sub(l.at); l.pools == nil || age < 0 || age >= listedFresh {
		heard := ask(ctx, pools)
		if ctx.Err() != nil {
			return heard // cut short: the next client asks again
		}
		l.pools, l.at = heard, now()
	}
	return l.pools
}

// listed asks the pools that run for their models.
func (ns *nodes) listed(ctx context.Context, pools []Candidate) told {
	type answer struct {
		key    string
		models map[string]nodeapi.ListedModel
	}
	ctx, cancel := context.WithTimeout(ctx, listedWait)
	defer cancel()
	answers := make(chan answer, len(pools))
	var asking errgroup.Group
	asking.SetLimit(listedAtOnce)
	for _, c := range pools {
		manager := ns.commander(c.NodeID)
		if manager == nil || !c.running() || c.Tripped {
			continue
		}
		asking.Go(func() error {
			if s, err := manager.Status(ctx, c.PoolID); err == nil && s.Listed != nil {
				answers <- answer{poolKey(c.NodeID, c.PoolID), c.heard(s.Listed)}
			}
			return nil // a node that does not answer adds what it reported before
		})
	}
	_ = asking.Wait()
	close(answers)
	all := told{}
	for a := range answers {
		all[a.key] = a.models
	}
	return all
}
