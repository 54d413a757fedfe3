package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// The messages of replicas about nodes.
const (
	topicReport = "nodes.report" // what a node has said, or its removal
	topicAsk    = "nodes.ask"    // a question for all nodes, or one
	topicHello  = "nodes.hello"  // a replica of this version is there
)

const (
	// helloEvery is how often a replica says that it is there, and helloLost how long
	// after its last hello it counts as one that was away, or is of an earlier version.
	helloEvery = time.Second
	helloLost  = 5 * time.Second
	// repeatFor is how long a removal is told again with each hello, and maxRepeats how many
	// at a time.
	repeatFor  = time.Minute
	maxRepeats = 64
	// findWithin bounds the question for one node, and maxFinds how many are asked at a
	// time; a node that is not asked for registers again.
	findWithin = 500 * time.Millisecond
	maxFinds   = 16
	// askWithin bounds one question for all nodes.
	askWithin = time.Second
	// answerBytes is about the size of one part of an answer.
	answerBytes = 256 << 10
)

// nodeReport is what replicas tell each other of a node.
type nodeReport struct {
	ID    string     `json:"id"`
	AgeMS int64      `json:"age_ms"` // how long ago it was said
	Said  sharedNode `json:"said"`
}

// nodesQuestion asks for what a replica knows of one node, or of all.
type nodesQuestion struct {
	ID string `json:"id,omitempty"`
}

// nodesAnswer is a part of the answer to it.
type nodesAnswer struct {
	Reports  []json.RawMessage `json:"reports"`
	Last     bool              `json:"last"`
	Sent     int               `json:"sent"`     // with Last: reports in all parts
	Complete bool              `json:"complete"` // with Last: the replica has learned the nodes itself
}

// nodePeers is the exchange with the other replicas; nil where there are none.
type nodePeers struct {
	*store.Peers
	ns     *nodes
	store  *store.Store
	finds  chan struct{} // holds a place for each question for one node
	rejoin chan struct{} // capacity 1: a replica has come
	legacy legacyNodes

	mu       mutex[lockPeers]
	complete bool // this replica has learned the nodes
	heard    map[string]time.Time
}

func newNodePeers(ns *nodes, s *store.Store) *nodePeers {
	if !s.Shared() {
		return nil
	}
	p := &nodePeers{
		Peers: s.Peers(), ns: ns, store: s, finds: make(chan struct{}, maxFinds), rejoin: make(chan struct{}, 1),
		heard: make(map[string]time.Time),
	}
	p.legacy.init(ns, s)
	return p
}

// encode makes the message of a report; nothing where there is no other replica.
func (p *nodePeers) encode(id string, said sharedNode, age time.Duration) ([]byte, error) {
	if p == nil {
		return nil, nil
	}
	message, err := json.Marshal(nodeReport{id, age.Milliseconds(), said})
	if err != nil {
		return nil, fmt.Errorf("encoding node %s: %w", id, err)
	}
	if len(message) > store.MaxRecordBytes {
		return nil, fail(Invalid, "INVALID_NODE", "the node and its pools take over %d bytes", store.MaxRecordBytes)
	}
	return message, nil
}

// publish sends a message to the other replicas. If it is lost, the node's next heartbeat
// repairs that; a removal is repeated, see repeatRemovals.
func (p *nodePeers) publish(id string, message []byte) {
	if p == nil {
		return
	}
	if err := p.Publish(topicReport, message); err != nil {
		p.ns.log.Debug("could not tell other replicas of a node", "node_id", id, "error", err)
	}
	p.legacy.note(id)
}

// tell publishes a report.
func (p *nodePeers) tell(id string, said sharedNode, heard time.Time) {
	if p == nil {
		return
	}
	message, err := p.encode(id, said, p.ns.age(heard))
	if err != nil {
		p.ns.log.Debug("could not tell other replicas of a node", "node_id", id, "error", err)
		return
	}
	p.publish(id, message)
}

// age is how long ago a report was heard.
func (ns *nodes) age(heard time.Time) time.Duration { return max(0, ns.now().Sub(heard)) }

// receive takes over a report of another replica.
func (p *nodePeers) receive(body []byte) {
	var r nodeReport
	if err := json.Unmarshal(body, &r); err != nil || !nodeID.MatchString(r.ID) {
		p.ns.log.Warn("ignoring message about a node: not in the expected form", "error", err)
		return
	}
	age := min(max(0, time.Duration(r.AgeMS)*time.Millisecond), 2*forgetAfter)
	p.ns.mu.Lock()
	defer p.ns.mu.Unlock()
	p.ns.take(r.ID, r.Said, p.ns.now().Add(-age))
}

// reports are what this replica knows of one node, or of all ("").
func (ns *nodes) reports(id string) (all []nodeReport) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, n := range ns.order {
		if !n.returning() && (id == "" || id == n.info.NodeID) {
			all = append(all, nodeReport{n.info.NodeID, ns.age(n.seen).Milliseconds(), n.said})
		}
	}
	for other, r := range ns.removed {
		if id == "" || id == other {
			all = append(all, nodeReport{other, ns.age(r.heard).Milliseconds(), r.said})
		}
	}
	return all
}

// answer sends what this replica knows, in parts.
func (p *nodePeers) answer(m store.PeerMessage) {
	var q nodesQuestion
	if err := json.Unmarshal(m.Body, &q); err != nil {
		return
	}
	p.mu.Lock()
	part := nodesAnswer{Complete: p.complete}
	p.mu.Unlock()
	size := 0
	send := func() {
		body, err := json.Marshal(part)
		if err == nil {
			err = m.Answer(p.Peers, body)
		}
		if err != nil {
			p.ns.log.Debug("could not tell another replica the nodes", "replica", m.From, "error", err)
		}
		part.Reports, size = nil, 0
	}
	for _, r := range p.ns.reports(q.ID) {
		text, err := p.encode(r.ID, r.Said, time.Duration(r.AgeMS)*time.Millisecond)
		if err != nil {
			continue
		}
		if size+len(text) > answerBytes && size > 0 {
			send()
		}
		part.Reports, size, part.Sent = append(part.Reports, text), size+len(text), part.Sent+1
	}
	part.Last = true
	send()
}

// ask takes over what the other replicas know of one node, or of all, until enough returns
// true for those that have answered in whole, each with whether it has learned the nodes.
func (p *nodePeers) ask(ctx context.Context, id string, enough func(answered map[string]bool) bool) error {
	question, err := json.Marshal(nodesQuestion{id})
	if err != nil {
		return fmt.Errorf("encoding question: %w", err)
	}
	got, answered := map[string]int{}, map[string]bool{}
	return p.Ask(ctx, topicAsk, question, func(m store.PeerMessage) bool {
		var part nodesAnswer
		if err := json.Unmarshal(m.Body, &part); err != nil {
			return false
		}
		for _, r := range part.Reports {
			p.receive(r)
		}
		got[m.From] += len(part.Reports)
		if part.Last && got[m.From] == part.Sent {
			answered[m.From] = part.Complete
		}
		return enough(answered)
	})
}

// all reports whether so many replicas are all others that are connected.
func (p *nodePeers) all(answered int) bool {
	others, known := p.store.Others()
	return known && answered >= others
}

// find asks the other replicas for a node that its owner has called for and that is not
// known here, once and for findWithin at most.
func (p *nodePeers) find(ctx context.Context, who Who, id string) {
	if p == nil || p.ns.known(id) || !p.ns.ownedBy(id, who) {
		return
	}
	select {
	case p.finds <- struct{}{}:
		defer func() { <-p.finds }()
	default:
		return
	}
	ctx, cancel := context.WithTimeout(ctx, findWithin)
	defer cancel()
	err := p.ask(ctx, id, func(answered map[string]bool) bool { return p.ns.known(id) || p.all(len(answered)) })
	if err != nil && !errors.Is(err, store.ErrNoPeers) {
		p.ns.log.Debug("could not ask other replicas for a node", "node_id", id, "error", err)
	}
}

// known reports whether the node has registered.
func (ns *nodes) known(id string) bool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n := ns.byID[id]
	return n != nil && !n.returning()
}

// ownedBy reports whether the node id is the caller's.
func (ns *nodes) ownedBy(id string, who Who) bool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	owner, ok := ns.owners[id]
	return ok && owner == who.Identity
}

// subscribe hears reports, hellos and questions until ctx ends.
func (p *nodePeers) subscribe(ctx context.Context, work *sync.WaitGroup, topics map[string]func(store.PeerMessage)) error {
	for topic, f := range topics {
		stop, err := p.Subscribe(topic, f)
		if err != nil {
			return err
		}
		work.Go(func() {
			<-ctx.Done()
			stop()
		})
	}
	return nil
}

// hello notes a replica of this version; one that was away is asked what it knows.
func (p *nodePeers) hello(m store.PeerMessage) {
	p.mu.Lock()
	now := p.ns.now()
	last, known := p.heard[m.From]
	p.heard[m.From] = now
	p.mu.Unlock()
	if !known || now.Sub(last) > helloLost {
		select {
		case p.rejoin <- struct{}{}:
		default:
		}
	}
}

// present counts the replicas that have said hello of late, and forgets the others.
func (p *nodePeers) present() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, last := range p.heard {
		if p.ns.now().Sub(last) > helloLost {
			delete(p.heard, name)
		}
	}
	return len(p.heard)
}

// helloLoop says that this replica is there, until ctx ends.
func (p *nodePeers) helloLoop(ctx context.Context) {
	ticker := time.NewTicker(helloEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.rejoin:
			asking, cancel := context.WithTimeout(ctx, askWithin)
			_ = p.ask(asking, "", func(answered map[string]bool) bool { return p.all(len(answered)) }) // heartbeats say the same within seconds
			cancel()
		case <-ticker.C:
		}
		p.sayHello()
		p.repeatRemovals()
	}
}

func (p *nodePeers) sayHello() {
	if err := p.Publish(topicHello, nil); err != nil {
		p.ns.log.Debug("could not say hello to other replicas", "error", err)
	}
}

// repeatRemovals tells the other replicas of the removals of the last repeatFor again,
// maxRepeats of them: a removed node sends no heartbeat that would repair a lost message.
func (p *nodePeers) repeatRemovals() {
	var again []nodeReport
	p.ns.mu.Lock()
	for id, r := range p.ns.removed {
		if age := p.ns.age(r.heard); age < repeatFor && p.ns.byID[id] == nil && len(again) < maxRepeats {
			again = append(again, nodeReport{id, age.Milliseconds(), r.said})
		}
	}
	p.ns.mu.Unlock()
	for _, r := range again {
		message, err := json.Marshal(r)
		if err == nil {
			err = p.Publish(topicReport, message)
		}
		if err != nil {
			p.ns.log.Debug("could not tell other replicas of a removal", "node_id", r.ID, "error", err)
		}
	}
}
