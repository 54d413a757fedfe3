package poolmanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// minStay is how long an engine stays at least, once it was loaded, before
	// another may have its memory; or as long as its own load took, if that is
	// longer. So at most half of the time goes into loading when engines alternate.
	minStay = 10 * time.Second
	// memoryWait is how long a task waits for memory that other engines use: longer than a
	// short answer takes, shorter than the 30 s after which orchestrators give up
	// on a header. A preload waits as long as its template lets it become ready.
	memoryWait = 5 * time.Second
	// freedWait and freedEvery bound the wait until the driver says that an ended
	// engine's memory is free: it lags behind the process by up to a second.
	freedWait  = 2 * time.Second
	freedEvery = 100 * time.Millisecond
	// maxMeasured bounds how many measurements are kept.
	maxMeasured = 1024
)

// What a load that found no memory ends with.
var (
	errNoMemory = errors.New("not enough memory")
	errUnwanted = errors.New("no task waits for this engine any more")
)

// ledger decides which engines may be loaded together. Free memory is measured,
// not computed: before a load, after each engine that was ended for it, and
// after it, which gives the engine's own need the next time. A reservation
// stands for an engine that is being loaded, whose memory is not taken yet.
//
// Without a reading (no GPU and no budget) every load goes ahead.
type ledger struct {
	// read measures the free bytes of these devices, or of all; nil: there is no
	// limit.
	read func(ctx context.Context, devices []string) (int64, error)
	// budget is what all engines may have together, where an operator has said
	// so: an engine that does not fit is refused. 0: the GPUs' memory, where an engine
	// that seems not to fit is started anyway: it may keep a part in main memory.
	budget int64
	pools  func() []*pool
	stay   time.Duration
	log    *slog.Logger
	turn   chan struct{} // one load at a time evicts

	mu       sync.Mutex
	loading  map[*reservation]struct{}
	measured map[string]int64 // what an engine took, by template and model
	epoch    uint64           // incremented when earlier readings may be out of date
	changed  chan struct{}    // closed and replaced when memory may have come free
}

// reservation is the memory of one engine that is being loaded.
type reservation struct {
	spec   launchSpec
	need   int64
	before int64
	alone  bool // no other engine was loaded or ended meanwhile: the measurement is valid
}

func newLedger(read func(context.Context, []string) (int64, error), budget int64, stay time.Duration, log *slog.Logger) *ledger {
	return &ledger{
		read: read, budget: budget, stay: stay, log: log, pools: func() []*pool { return nil }, turn: make(chan struct{}, 1),
		loading: map[*reservation]struct{}{}, measured: map[string]int64{}, changed: make(chan struct{}),
	}
}

// wakeWaiters wakes loads that wait for memory.
func (l *ledger) wakeWaiters() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
}

// ended notes that an engine is gone.
func (l *ledger) ended() {
	l.mu.Lock()
	l.invalidate()
	l.mu.Unlock()
	l.wakeWaiters()
}

// invalidate discards readings and running measurements; the caller holds the lock.
func (l *ledger) invalidate() {
	l.epoch++
	for r := range l.loading {
		r.alone = false
	}
}

// needs is what an engine will take: measured, or declared, or its file's size.
func (l *ledger) needs(spec launchSpec) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes, ok := l.measured[spec.key()]; ok {
		return bytes
	}
	if spec.template.MemoryBytes > 0 {
		return spec.template.MemoryBytes
	}
	return spec.size
}

// admit waits until the pool's engine fits, ending idle ones for it. limit is for
// the wait for engines that are not idle.
func (l *ledger) admit(ctx context.Context, p *pool, spec launchSpec, limit time.Duration) (*reservation, error) {
	if l.read == nil || spec.template.URL != "" {
		return nil, nil
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		r, wait, err := l.try(ctx, p, spec)
		if r != nil || err != nil {
			return r, err
		}
		stay := time.NewTimer(wait.until)
		select {
		case <-wait.changed:
		case <-stay.C:
		case <-timer.C:
			err = fmt.Errorf("%w: waited %v for busy engines", errNoMemory, limit)
		case <-ctx.Done():
			err = ctx.Err()
		}
		stay.Stop()
		if err == nil && !p.wantedNow() {
			err = errUnwanted
		}
		if err != nil {
			return nil, err
		}
	}
}

// pause says when to try again: at a change, or when an engine has stayed long
// enough.
type pause struct {
	changed <-chan struct{}
	until   time.Duration
}

// try evicts idle engines as far as that helps. Without an error and without a
// reservation it says how long to wait.
func (l *ledger) try(ctx context.Context, p *pool, spec launchSpec) (*reservation, pause, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, pause{}, ctx.Err()
	}
	for ctx.Err() == nil {
		epoch, changed := l.now()
		need := l.needs(spec)
		free, err := l.read(ctx, spec.template.Devices)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			l.log.Warn("could not measure free memory; loading without a limit", "pool_id", p.id, "error", err)
			return l.reserve(spec, need, 0, false), pause{}, nil
		}
		r, left, loading, fresh := l.claim(spec, need, free, epoch)
		if r != nil {
			return r, pause{}, nil
		}
		if !fresh {
			continue
		}
		found := findEvictable(l.pools(), p, spec, l.stay)
		found.busy += loading
		switch {
		case l.budget > 0 && need > l.budget:
			return nil, pause{}, fmt.Errorf("%w: %d bytes are needed, %d is the budget", errNoMemory, need, l.budget)
		case found.idle != nil && (left+found.now >= need || found.busy == 0):
			l.evict(ctx, spec, found.idle, free, need)
		case found.busy > 0:
			return nil, pause{changed, found.soonest}, nil
		case l.budget > 0:
			return nil, pause{}, fmt.Errorf("%w: %d bytes are needed, %d are free, and no engine can be evicted", errNoMemory, need, left)
		default: // no engine is left to evict; the engine itself fails if it does not fit
			return l.reserve(spec, need, free, true), pause{}, nil
		}
	}
	return nil, pause{}, ctx.Err()
}

func (l *ledger) now() (epoch uint64, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch, l.changed
}

// claim reserves what is needed if it is left beside what others are loading.
// fresh is false when the reading is out of date.
func (l *ledger) claim(spec launchSpec, need, free int64, epoch uint64) (r *reservation, left int64, loading int, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left = free
	for other := range l.loading {
		if other.spec.shares(spec) {
			left -= other.need
			loading++
		}
	}
	if epoch != l.epoch {
		return nil, left, loading, false
	}
	if left < need {
		return nil, left, loading, true
	}
	return l.add(spec, need, free, true), left, loading, true
}

func (l *ledger) reserve(spec launchSpec, need, free int64, known bool) *reservation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.add(spec, need, free, known)
}

// add makes a reservation; the caller holds the lock.
func (l *ledger) add(spec launchSpec, need, free int64, known bool) *reservation {
	l.invalidate()
	r := &reservation{spec: spec, need: need, before: free, alone: known && len(l.loading) == 0}
	l.loading[r] = struct{}{}
	return r
}

// evict ends an idle engine and waits until its memory is seen to be free.
func (l *ledger) evict(ctx context.Context, spec launchSpec, victim *pool, before, need int64) {
	bytes := victim.memory()
	done, ok := victim.unload(l.stay)
	if !ok {
		return // a task came first
	}
	l.log.Info("evicting idle engine", "pool_id", victim.id, "for", spec.template.Name, "model_ref", spec.model.ref)
	select {
	case <-done:
	case <-ctx.Done():
		return
	}
	ctx, cancel := context.WithTimeout(ctx, freedWait)
	defer cancel()
	ticker := time.NewTicker(freedEvery)
	defer ticker.Stop()
	for {
		if free, err := l.read(ctx, spec.template.Devices); err != nil || free >= before+bytes/2 || free >= need {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// loaded ends a reservation: the engine is ready, and its memory is measured if no other
// engine was loaded or ended meanwhile. It gives that, or what was reserved.
func (l *ledger) loaded(ctx context.Context, r *reservation) int64 {
	if r == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, freedWait)
	defer cancel()
	after, err := l.read(ctx, r.spec.template.Devices)
	l.mu.Lock()
	took := r.need
	if err == nil && r.alone && r.before > after {
		took = r.before - after
		if _, known := l.measured[r.spec.key()]; known || len(l.measured) < maxMeasured {
			l.measured[r.spec.key()] = took
		}
	}
	delete(l.loading, r)
	l.epoch++
	l.mu.Unlock()
	l.wakeWaiters() // until now its memory counted twice: as reserved, and as taken
	return took
}

// dropped ends the reservation of an engine that did not become ready.
func (l *ledger) dropped(r *reservation) {
	if r == nil {
		return
	}
	l.mu.Lock()
	delete(l.loading, r)
	l.mu.Unlock()
	l.ended()
}
