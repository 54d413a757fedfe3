package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// silentRounds is after how many questions without an answer the connected replicas count
// as replicas of an earlier version, or as starting ones.
const silentRounds = 2

// start learns the nodes and follows what other replicas hear of them, until watching ends.
// It returns when the others have said what they know. Nodes that they did not report, and
// that this replica knew before its start, are offline until they register again, as all are
// after a restart of all replicas: the one that starts first then reports none of those that
// it only remembers. The owners of node ids are in memory before that.
func (ns *nodes) start(ctx, watching context.Context, work *sync.WaitGroup) error {
	if p := ns.peers; p != nil {
		if err := p.start(ctx, watching, work); err != nil {
			return err
		}
	}
	ns.recall()
	work.Go(func() { ns.keepLoop(watching) })
	return nil
}

func (p *nodePeers) start(ctx, watching context.Context, work *sync.WaitGroup) error {
	topics := map[string]func(store.PeerMessage){topicReport: func(m store.PeerMessage) { p.receive(m.Body) }, topicHello: p.hello}
	answers := map[string]func(store.PeerMessage){topicAsk: p.answer}
	if err := p.subscribe(watching, work, topics); err != nil {
		return err
	}
	p.sayHello() // without it the others take this one for a replica of an earlier version
	work.Go(func() { p.helloLoop(watching) })
	_, embedded := p.store.Others()
	if embedded { // else replicas that start together would wait for each other; these see how many they are
		if err := p.subscribe(watching, work, answers); err != nil {
			return err
		}
	}
	if err := p.learn(ctx, watching, work); err != nil {
		return fmt.Errorf("asking the other replicas: %w", err)
	}
	p.mu.Lock()
	p.complete = true
	p.mu.Unlock()
	if !embedded {
		if err := p.subscribe(watching, work, answers); err != nil {
			return err
		}
	}
	work.Go(func() { p.legacy.loop(watching, work, p.silent) })
	return nil
}

// learn asks the other replicas until one that knows the nodes has answered, or all that
// are connected say that they know none, or are of an earlier version and have them in
// their bucket; for one node time-out at most: a node that runs has called one of the
// replicas by then.
func (p *nodePeers) learn(ctx, watching context.Context, work *sync.WaitGroup) error {
	limit, cancel := context.WithTimeout(ctx, p.ns.timeout)
	defer cancel()
	learned := false
	for round := 1; limit.Err() == nil && !learned; round++ {
		asking, end := context.WithTimeout(limit, askWithin)
		asked := time.Now()
		err := p.ask(asking, "", func(answered map[string]bool) bool {
			for _, complete := range answered {
				learned = learned || complete
			}
			return learned || p.all(len(answered)) && len(answered) > 0
		})
		end()
		_, embedded := p.store.Others()
		switch {
		case err == nil:
			return nil
		case round >= silentRounds, !embedded && errors.Is(err, store.ErrNoPeers):
			return p.legacy.list(ctx, limit, watching, work)
		case time.Since(asked) < askWithin: // no way to the others yet
			select {
			case <-time.After(askWithin / 10):
			case <-limit.Done():
			}
		}
	}
	return ctx.Err()
}

// silent reports whether a connected replica says no hello: it has an earlier version. With
// nats_url the replicas cannot be counted, and silent is always true.
func (p *nodePeers) silent() bool {
	others, known := p.store.Others()
	return !known || others > p.present()
}
