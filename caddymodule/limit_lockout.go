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

// maxClients bounds the watched clients, and separately the locked-out clients. An entry
// takes about 150 bytes including its slot in the table, so that both tables together
// stay below 20 MiB.
const maxClients = 1 << 16

// ipv6Bits is the prefix length that counts as one IPv6 client: a customer gets at least a
// /64, and can use any address in it.
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

// maxBan bounds windows and bans. A restart ends them anyway.
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

// lockoutTable counts invalid tokens by client. The length of tokens prevents guessing;
// the lockout reduces the load and the log volume of attempts. It never sees a valid
// token, and has no entry for a token or a name, so that no client can lock out another.
//
// Watched and locked clients are in separate tables, so that a flood of new clients
// cannot evict a locked one. It cannot evict a watched client within its window either:
// a full table accepts a new client only when the window of the oldest entry has passed,
// and treats other new clients as locked. This bounds the global failure rate to the
// table's size in every window.
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

// lockoutOutcome is the result of a failure.
type lockoutOutcome struct {
	locked  bool          // answer 429
	started bool          // this failure began a ban
	retry   time.Duration // when to come again, if locked
}

// fail counts an invalid token of a client.
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
		// The table of bans is full, and a new ban would evict another.
		return lockoutOutcome{locked: true, retry: rule.ban}
	}
	t.watched.Remove(key)
	t.locked.Add(key, now.Add(rule.ban))
	t.metrics.lockouts.Inc()
	return lockoutOutcome{started: true, retry: rule.ban}
}

// fullFor returns how long a new client has to wait for an entry: until the window of the
// client with the oldest failure has passed.
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

// expire removes the bans that have ended, and returns their clients. It stops at the
// oldest ban in force.
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

// list returns at most so many of the bans in force, and how many there are.
func (t *lockoutTable) list(now time.Time, most int) (bans []lockedClient, total int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	bans = []lockedClient{}
	for _, client := range t.locked.Keys() {
		until, ok := t.locked.Peek(client)
		if !ok || !now.Before(until) {
			continue
		}
		if total++; len(bans) < most {
			bans = append(bans, lockedClient{Client: clientText(client), Until: until.UTC()})
		}
	}
	return bans, total
}

// clientKey returns what counts as one client: an IPv4 address, mapped or not, or the /64
// of an IPv6 address. All peers of a Unix socket are one client.
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

// clientText formats a client key.
func clientText(client netip.Addr) string {
	switch {
	case !client.IsValid():
		return "unix"
	case client.Is6():
		return netip.PrefixFrom(client, ipv6Bits).String()
	}
	return client.String()
}
