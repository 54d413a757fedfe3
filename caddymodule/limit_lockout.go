package caddymodule

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxClients bounds the clients that are watched, and again those that are
// locked out. An entry takes about 150 bytes with its place in the table, so
// that both tables together stay below 20 MiB.
const maxClients = 1 << 16

// ipv6Bits is how much of an IPv6 address is one client: a /64 is what one
// customer gets, and inside it addresses cost nothing.
const ipv6Bits = 64

// Lockout says when a client that sends invalid tokens is locked out.
type Lockout struct {
	// No lockout.
	Off bool `json:"off,omitempty"`
	// So many invalid tokens…
	Failures int `json:"failures,omitempty"`
	// …in this time…
	Window caddy.Duration `json:"window,omitempty"`
	// …lock a client out for this long.
	Ban caddy.Duration `json:"ban,omitempty"`
}

// lockoutRule is the setting in force; with zero failures there is none.
type lockoutRule struct {
	failures int
	window   time.Duration
	ban      time.Duration
}

var defaultLockout = lockoutRule{failures: 10, window: time.Minute, ban: 5 * time.Minute}

// maxBan bounds windows and bans: state is lost at a restart anyway.
const maxBan = 7 * 24 * time.Hour

func (l *Lockout) rule() (lockoutRule, error) {
	if l == nil {
		return defaultLockout, nil
	}
	rule := lockoutRule{l.Failures, time.Duration(l.Window), time.Duration(l.Ban)}
	if l.Off {
		if rule != (lockoutRule{}) {
			return rule, errors.New("lockout: off takes no numbers")
		}
		return rule, nil
	}
	if rule.failures < 1 || rule.window <= 0 || rule.ban <= 0 || rule.window > maxBan || rule.ban > maxBan {
		return rule, fmt.Errorf("lockout: want FAILURES WINDOW BAN, each above 0 and no time over %v, such as `lockout 10 1m 5m`; or `lockout off`", maxBan)
	}
	return rule, nil
}

// lockoutTable counts failed tokens by client. What stops guessing is the length
// of the tokens; this keeps the noise and the cost of it down. It never sees a
// valid token, and has no entry for a token or a name, so that no
// client can lock out another.
//
// Watched and locked clients are in tables of their own: a flood of new clients
// cannot push out a locked one. Nor can it push out a watched one within its
// window: a full table takes in new clients only as old ones fall silent, and
// answers the others as if they were locked. That is the global failure rate:
// the table's size in every window.
type lockoutTable struct {
	mu       sync.Mutex
	capacity int
	watched  *simplelru.LRU[netip.Addr, *watchedClient]
	locked   *simplelru.LRU[netip.Addr, time.Time] // until when
	metrics  *metrics
}

type watchedClient struct {
	since    time.Time // of the window
	last     time.Time // failure
	failures int
}

func newLockoutTable(capacity int, m *metrics) (*lockoutTable, error) {
	watched, err := simplelru.NewLRU[netip.Addr, *watchedClient](capacity, nil)
	if err != nil {
		return nil, err
	}
	locked, err := simplelru.NewLRU[netip.Addr, time.Time](capacity, nil)
	if err != nil {
		return nil, err
	}
	return &lockoutTable{capacity: capacity, watched: watched, locked: locked, metrics: m}, nil
}

// lockoutOutcome is what a failure led to.
type lockoutOutcome struct {
	locked  bool          // answer 429
	started bool          // this failure began a ban
	retry   time.Duration // when to come again, if locked
}

// fail notes a failed token of a client at a moment.
func (t *lockoutTable) fail(client netip.Addr, rule lockoutRule, now time.Time) lockoutOutcome {
	key := clientKey(client)
	t.mu.Lock()
	defer t.mu.Unlock()
	if until, ok := t.locked.Peek(key); ok {
		if now.Before(until) {
			return lockoutOutcome{locked: true, retry: until.Sub(now)}
		}
		t.locked.Remove(key)
	}
	c, ok := t.watched.Get(key)
	if !ok {
		if wait := t.fullFor(rule, now); wait > 0 {
			return lockoutOutcome{locked: true, retry: wait}
		}
		c = &watchedClient{since: now}
		t.watched.Add(key, c)
	}
	if now.Sub(c.since) > rule.window {
		c.since, c.failures = now, 0
	}
	c.failures++
	c.last = now
	if c.failures < rule.failures {
		return lockoutOutcome{}
	}
	if t.locked.Len() == t.capacity {
		// The table of bans is full; one more would end another.
		return lockoutOutcome{locked: true, retry: rule.ban}
	}
	t.watched.Remove(key)
	t.locked.Add(key, now.Add(rule.ban))
	t.metrics.lockouts.Inc()
	return lockoutOutcome{started: true, retry: rule.ban}
}

// fullFor returns how long a client that is not known yet has to wait for a
// place: until the one that has been silent for longest has had its window.
func (t *lockoutTable) fullFor(rule lockoutRule, now time.Time) time.Duration {
	if t.watched.Len() < t.capacity {
		return 0
	}
	_, oldest, _ := t.watched.GetOldest()
	if wait := rule.window - now.Sub(oldest.last); wait > 0 {
		return wait
	}
	t.metrics.limiterEvictions.Inc()
	return 0
}

// expire removes the bans that have ended, and returns whose they were. It looks
// no further than the oldest that has not.
func (t *lockoutTable) expire(now time.Time) []netip.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	var freed []netip.Addr
	for {
		client, until, ok := t.locked.GetOldest()
		if !ok || now.Before(until) {
			t.metrics.lockedClients.Set(float64(t.locked.Len()))
			return freed
		}
		t.locked.Remove(client)
		freed = append(freed, client)
	}
}

// lockedClient is one ban, for the admin API.
type lockedClient struct {
	Client string    `json:"client"`
	Until  time.Time `json:"until"`
}

// list returns the bans in force.
func (t *lockoutTable) list(now time.Time) []lockedClient {
	t.mu.Lock()
	defer t.mu.Unlock()
	bans := []lockedClient{}
	for _, client := range t.locked.Keys() {
		if until, ok := t.locked.Peek(client); ok && now.Before(until) {
			bans = append(bans, lockedClient{Client: clientText(client), Until: until.UTC()})
		}
	}
	return bans
}

// clientKey is what counts as one client: an IPv4 address, mapped or not, or the
// /64 of an IPv6 address. All peers of a Unix socket are one.
func clientKey(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}
	prefix, err := addr.Prefix(ipv6Bits)
	if err != nil {
		return addr
	}
	return prefix.Addr()
}

// clientText shows a client of the table.
func clientText(client netip.Addr) string {
	switch {
	case !client.IsValid():
		return "unix"
	case client.Is6():
		return netip.PrefixFrom(client, ipv6Bits).String()
	}
	return client.String()
}
