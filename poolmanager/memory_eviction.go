package poolmanager

import (
	"math"
	"slices"
	"time"
)

// evictable is what the engines that may be evicted hold.
type evictable struct {
	idle    *pool         // the least recently used that can be evicted now; nil: none
	now     int64         // bytes held by all that can be evicted now
	busy    int           // how many have tasks, load, or were just loaded
	soonest time.Duration // when the first of those has stayed long enough
}

// unknownMemory stands for an engine that was never measured: it may be enough.
const unknownMemory = 1 << 50

// findEvictable lists the engines whose memory p may get by eviction.
func findEvictable(pools []*pool, p *pool, spec launchSpec, stay time.Duration) evictable {
	o := evictable{soonest: math.MaxInt64}
	var oldest time.Time
	for _, q := range pools {
		if q == p || !q.wanted().shares(spec) {
			continue
		}
		s, ok := q.memoryUse(stay)
		if !ok {
			continue
		}
		if s.bytes == 0 {
			s.bytes = unknownMemory
		}
		if !s.idle || s.wait > 0 {
			o.busy++
			if s.idle {
				o.soonest = min(o.soonest, s.wait)
			}
			continue
		}
		o.now += s.bytes
		if o.idle == nil || s.used.Before(oldest) {
			o.idle, oldest = q, s.used
		}
	}
	return o
}

// shares reports whether two engines may use one device; an engine that names
// none may use all.
func (s launchSpec) shares(other launchSpec) bool {
	a, b := s.template.Devices, other.template.Devices
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(d string) bool { return slices.Contains(b, d) })
}

// memoryUse is what one engine holds, and whether another may have it.
type memoryUse struct {
	bytes int64
	idle  bool
	wait  time.Duration // until it has stayed long enough
	used  time.Time
}

// memoryUse is false for a pool that is never evicted, or holds no memory.
func (p *pool) memoryUse(stay time.Duration) (memoryUse, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.state {
	case StateDraining, StateStopping: // its memory comes free by itself
	case StateReady, StateStarting:
		if !p.loadable && !p.ending || p.waitsForMemory {
			return memoryUse{}, false
		}
	default:
		return memoryUse{}, false
	}
	return memoryUse{
		bytes: p.bytes, idle: p.idle(),
		wait: p.stayLeft(stay), used: p.used,
	}, true
}

// stayLeft is how long a ready engine must stay; the caller holds the lock.
func (p *pool) stayLeft(stay time.Duration) time.Duration {
	return max(stay, p.loadTook) - time.Since(p.readyAt)
}
