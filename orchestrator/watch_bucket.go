package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// firstListing bounds how long a replica waits at its start for what the cluster
// knows: a leader's election and the transfer of full buckets.
const firstListing = time.Minute

// bucketWatch keeps memory in step with one bucket.
type bucketWatch struct {
	bucket string
	meta   bool              // without the values
	take   func(store.Entry) // a newer state of a key, or an older one again
	keys   func() []string   // what memory has
	loaded func()            // everything there was has been taken, the first time
}

// startWatches reads everything into memory, and follows changes where other replicas
// write too.
func (o *Orchestrator) startWatches(ctx context.Context) error {
	all := []bucketWatch{
		{bucket: store.Tasks, take: o.observe, keys: o.tasks.ids, loaded: o.queueLoaded},
		{bucket: store.NodeOwners, take: o.nodes.observeOwner, keys: o.nodes.ownedIDs},
		{bucket: store.Sessions, take: o.sessions.observe, keys: o.sessions.ids},
		{bucket: store.Artifacts, meta: true, take: o.artifacts.observe, keys: o.artifacts.all},
		{bucket: store.Idempotency, take: o.keys.observe},
		{bucket: store.Catalog, take: o.catalog.observe, keys: o.catalog.keys},
	}
	watching, stopWatches := context.WithCancel(context.WithoutCancel(ctx))
	o.lifecycle.stopWatches = stopWatches
	listing, cancel := context.WithTimeout(ctx, firstListing)
	defer cancel()
	for _, m := range all {
		if err := o.startWatch(listing, watching, m); err != nil {
			stopWatches()
			return fmt.Errorf("reading %s: %w", m.bucket, err)
		}
	}
	if err := o.nodes.start(ctx, watching, &o.lifecycle.watches); err != nil {
		stopWatches()
		return fmt.Errorf("learning the nodes: %w", err)
	}
	if o.store.Shared() {
		o.lifecycle.watches.Go(func() { o.tails.checkLoop(watching) })
	}
	return nil
}

// startWatch watches a bucket and waits until it has taken everything there is. It ends
// there when no other replica writes.
func (o *Orchestrator) startWatch(ctx, watching context.Context, m bucketWatch) error {
	b := o.store.Bucket(m.bucket)
	watch := b.Watch
	if m.meta {
		watch = b.WatchMeta
	}
	watching, enough := context.WithCancel(watching)
	listed, ended := make(chan struct{}), make(chan error, 1)
	in := &watchState{o: o, bucketWatch: m, ctx: watching, listed: listed}
	o.lifecycle.watches.Go(func() {
		defer enough()
		ended <- watch(watching, in.begin, in.take)
	})
	select {
	case <-listed:
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
	if !o.store.Shared() {
		enough()
		<-ended
	}
	return nil
}

// watchState is how far the watch of one bucket has come.
type watchState struct {
	bucketWatch
	o      *Orchestrator
	ctx    context.Context
	listed chan struct{}   // closed after the first listing
	newest uint64          // the highest revision that came
	seen   map[string]bool // by this listing, if another one was before it
	lists  int             // listings that have begun
	whole  bool            // one has ended
}

// begin and take are for store.Bucket.Watch. Keys of an earlier listing, complete or
// not, may have been deleted since.
func (in *watchState) begin() {
	if in.lists++; in.lists > 1 {
		in.seen = make(map[string]bool)
	}
}

func (in *watchState) take(e store.Entry) {
	if e.Key == "" {
		first := !in.whole
		in.whole = true
		if first && in.loaded != nil {
			in.loaded()
		}
		if in.seen != nil {
			in.findVanished()
		}
		if first {
			close(in.listed)
		}
		return
	}
	if in.seen != nil {
		in.seen[e.Key] = true
	}
	in.newest = max(in.newest, e.Revision)
	in.bucketWatch.take(e)
}

// findVanished looks for keys that were deleted while the watch was interrupted: those
// in memory that were not listed.
func (in *watchState) findVanished() {
	seen := in.seen
	in.seen = nil
	if in.keys == nil {
		return
	}
	for _, key := range in.keys() {
		if seen[key] {
			continue
		}
		ctx, cancel := context.WithTimeout(in.ctx, lookTimeout)
		_, err := in.o.store.Bucket(in.bucket).Get(ctx, key)
		cancel()
		if errors.Is(err, store.ErrNotFound) {
			in.bucketWatch.take(store.Entry{Key: key, Deleted: true, Revision: in.newest})
		} else if err != nil {
			in.o.log.Warn("could not verify record deletion", "bucket", in.bucket, "error", err)
			return // the connection is gone again, and with its return comes another listing
		}
	}
}

// checkLoop looks after the tails that are fed from other replicas.
func (ts *tails) checkLoop(ctx context.Context) {
	ticker := time.NewTicker(newsPause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			ts.checkFed(ctx)
		}
	}
}
