package orchestrator

import (
	"errors"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// compactPause is the shortest time between two compactions of the keys: each writes
	// about 5 MiB on every replica. It is how long the bytes of a destroyed key may be on
	// a disk, except where a replica is down.
	compactPause = time.Minute
	// maxDoomed keys wait to be destroyed together, for destroyPause; more are left to
	// sweepKeys.
	maxDoomed    = 4096
	destroyPause = 2 * time.Second
	// keyOrphanAge is how old a key may become without a task, and keySweepEvery how often
	// that is looked at. It is far longer than a request takes to arrive, and allows for
	// clocks that differ.
	keyOrphanAge  = 24 * time.Hour
	keySweepEvery = time.Hour
)

// doom has a key destroyed soon.
func (c *contents) doom(key string) {
	if key == "" {
		return
	}
	select {
	case c.doomed <- key:
	default: // sweepKeys finds it
	}
}

// destroyLoop destroys keys, many at a time: a batch of them is one write.
func (c *contents) destroyLoop() {
	again := time.NewTicker(destroyPause)
	defer again.Stop()
	var names []string
	for {
		select {
		case <-c.o.lifecycle.ctx.Done():
			c.destroyLast(names)
			return
		case key := <-c.doomed:
			if names = append(names, key); len(names) < maxDoomed {
				continue
			}
		case <-again.C:
		}
		if len(names) == 0 {
			continue
		}
		if err := c.o.store.Keys().Destroy(c.o.lifecycle.ctx, names...); err != nil {
			c.o.log.Warn("could not destroy keys of erased content", "keys", len(names), "error", err)
			names = names[:min(len(names), maxDoomed-1)] // for the next time
			continue
		}
		names = nil
		c.compactSoon()
	}
}

// destroyLast destroys what waits for it when the replica stops: for a task whose record
// is gone, another would learn of the key only from sweepKeys.
func (c *contents) destroyLast(names []string) {
	for len(c.doomed) > 0 {
		names = append(names, <-c.doomed)
	}
	if len(names) == 0 {
		return
	}
	ctx, cancel := c.o.lifecycle.persistContext()
	defer cancel()
	if err := c.o.store.Keys().Destroy(ctx, names...); err != nil {
		c.o.log.Warn("could not destroy keys of erased content", "keys", len(names), "error", err)
	}
}

// compactSoon asks for a compaction of the keys.
func (c *contents) compactSoon() {
	select {
	case c.compact <- struct{}{}:
	default: // one is asked for
	}
}

// compactLoop compacts the keys when asked: at once, and then not again for a while. The
// first time it does what a crash may have left.
func (c *contents) compactLoop() {
	c.compactSoon()
	for {
		select {
		case <-c.o.lifecycle.ctx.Done():
			return
		case <-c.compact:
		}
		done, err := c.o.store.Keys().Compact(c.o.lifecycle.ctx)
		if err == nil && !done {
			continue
		}
		if err != nil && c.o.lifecycle.ctx.Err() == nil {
			c.o.log.Warn("could not compact the keys of erased content", "error", err)
			c.compactSoon()
		}
		pause := time.NewTimer(c.compactPause)
		select {
		case <-c.o.lifecycle.ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}

// sweepKeys destroys keys that no task has: what a crash, or a call that was cut, has
// left.
func (c *contents) sweepKeys() {
	now := c.o.now()
	if now.Sub(c.keysSwept) < keySweepEvery {
		return
	}
	c.keysSwept = now
	ctx := c.o.lifecycle.ctx
	batches, err := c.o.store.Keys().Batches(ctx)
	if err != nil {
		c.o.log.Warn("could not list the keys of content", "error", err)
		return
	}
	var used map[string]bool
	for id, made := range batches {
		if now.Sub(made) < keyOrphanAge {
			continue
		}
		names, err := c.o.store.Keys().Names(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			c.o.log.Warn("could not list the keys of content", "error", err)
			return
		}
		if used == nil {
			used = c.o.tasks.keys()
		}
		for _, name := range names {
			if !used[name] {
				c.doom(name)
			}
		}
	}
}

// keys names the keys of all tasks.
func (t *taskTable) keys() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	used := make(map[string]bool)
	for _, e := range t.byID {
		used[e.view().content.Key] = true
	}
	return used
}
