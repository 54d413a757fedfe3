package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// legacyLook is how often the bucket of an earlier version is looked for, while a
	// replica of one may be there.
	legacyLook = time.Second
	// legacyWrite bounds one look, and one write to it.
	legacyWrite = time.Second
)

// legacyNodes is for a rolling update: replicas of earlier versions exchange what nodes
// report in a bucket. While one is there, this replica watches the bucket and writes what
// it hears itself there, in the background. Nothing waits for it but a start that finds
// replicas of earlier versions alone.
type legacyNodes struct {
	ns     *nodes
	store  *store.Store
	active atomic.Bool
	stop   context.CancelFunc // of what is active
	wake   chan struct{}      // capacity 1: something is to be written

	mu    mutex[lockLegacy]
	dirty map[string]bool // nodes to write; MaxNodes and maxRemovals at most
}

func (l *legacyNodes) init(ns *nodes, s *store.Store) {
	l.ns, l.store, l.wake, l.dirty = ns, s, make(chan struct{}, 1), make(map[string]bool)
}

// note has a node written.
func (l *legacyNodes) note(ids ...string) {
	if !l.active.Load() {
		return
	}
	l.mu.Lock()
	for _, id := range ids {
		l.dirty[id] = true
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// loop begins and ends the exchange as replicas of earlier versions come and go, until ctx
// ends.
func (l *legacyNodes) loop(ctx context.Context, work *sync.WaitGroup, silent func() bool) {
	ticker := time.NewTicker(legacyLook)
	defer ticker.Stop()
	for {
		switch {
		case l.active.Load() && !silent():
			l.active.Store(false)
			l.stop()
			l.ns.log.Info("no replica of an earlier version is connected any more")
		case !l.active.Load() && silent():
			_, _ = l.begin(ctx, work) // it is looked for again
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// begin starts the exchange if there is a bucket; else store.ErrNotFound. listed is closed
// when everything there has been taken over.
func (l *legacyNodes) begin(ctx context.Context, work *sync.WaitGroup) (listed <-chan struct{}, err error) {
	looking, cancel := context.WithTimeout(ctx, legacyWrite)
	defer cancel()
	b, err := l.store.LegacyNodes(looking)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	l.stop = stop
	all := make(chan struct{})
	var once sync.Once
	work.Go(func() {
		_ = b.Watch(running, nil, func(e store.Entry) { // it ends with running, or the store
			if e.Key == "" {
				once.Do(func() { close(all) })
				return
			}
			l.observe(e)
		})
	})
	work.Go(func() { l.writeLoop(running, b) })
	l.active.Store(true)
	var ids []string
	for _, r := range l.ns.reports("") {
		if r.AgeMS < l.ns.timeout.Milliseconds() {
			ids = append(ids, r.ID)
		}
	}
	l.note(ids...)
	l.ns.log.Info("exchanging nodes with replicas of an earlier version")
	return all, nil
}

// list waits until the bucket of an earlier version is listed, if there is one, while limit
// allows.
func (l *legacyNodes) list(ctx, limit, watching context.Context, work *sync.WaitGroup) (err error) {
	var listed <-chan struct{}
	for listed == nil && limit.Err() == nil {
		if listed, err = l.begin(watching, work); errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			select {
			case <-time.After(legacyLook):
			case <-limit.Done():
			}
		}
	}
	select {
	case <-listed:
		return nil
	case <-limit.Done():
		if ctx.Err() == nil {
			l.ns.log.Warn("starting without the nodes of other replicas: not listed in time", "limit_ms", l.ns.timeout.Milliseconds())
		}
		return ctx.Err()
	}
}

// observe takes over a node's record in the bucket. Where an earlier version only notes
// another state of a pool, or a removal, the record has no later time; it has a later
// revision. A record that expires is ignored: the node goes offline by itself.
func (l *legacyNodes) observe(e store.Entry) {
	if e.Deleted {
		return
	}
	var said sharedNode
	if err := json.Unmarshal(e.Value, &said); err != nil {
		l.ns.log.Error("decoding node record", "node_id", e.Key, "error", err)
		return
	}
	ns := l.ns
	ns.mu.Lock()
	defer ns.mu.Unlock()
	// Clocks of replicas may differ; what is listed at a start is not new.
	heard := ns.now().Add(-min(ns.age(e.Created), ns.timeout))
	n := ns.byID[e.Key]
	if said.Removed && said.Registered.IsZero() {
		if n != nil && n.seen.After(heard) {
			return
		}
		said.Registered = ns.nextRegistered(e.Key)
	}
	if n != nil && !n.returning() && !ns.disowned(e.Key, said) && e.Revision > n.revision && !said.Removed && !n.said.after(said) && !said.after(n.said) {
		ns.setReport(n, e.Key, said, maxTime(n.seen, heard))
	} else {
		ns.take(e.Key, said, heard)
	}
	if n = ns.byID[e.Key]; n != nil {
		n.revision = e.Revision
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// writeLoop writes the latest report of each node that this replica has heard of itself.
// A write that fails is not repeated: the next heartbeat is.
func (l *legacyNodes) writeLoop(ctx context.Context, b *store.Bucket) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		l.mu.Lock()
		ids := l.dirty
		l.dirty = make(map[string]bool)
		l.mu.Unlock()
		for id := range ids {
			if ctx.Err() == nil {
				l.write(ctx, b, id)
			}
		}
	}
}

func (l *legacyNodes) write(ctx context.Context, b *store.Bucket, id string) {
	known := l.ns.reports(id)
	if len(known) == 0 {
		return
	}
	value, err := json.Marshal(known[0].Said) // the node, if it is registered; a removal in the list is older then
	if err == nil {
		writing, cancel := context.WithTimeout(ctx, legacyWrite)
		err = b.Put(writing, id, value)
		cancel()
	}
	if err != nil {
		l.ns.log.Debug("could not tell replicas of an earlier version of a node", "node_id", id, "error", err)
	}
}
