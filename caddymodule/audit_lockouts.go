package caddymodule

import (
	"log/slog"
	"sync"
	"time"
)

// recordedLockouts is how many lockouts that begin, and how many that end, are recorded
// one by one in a minute. A network with many IPv6 prefixes fills the table of locked
// clients in every ban; beyond this number they share a record: 30 MB an hour at most.
const recordedLockouts = 1024

// eventCount tells the events of a minute that have a record each from those that are
// counted.
type eventCount struct {
	mu    sync.Mutex
	since time.Time
	count int
	held  int
}

// hold reports whether an event has no record of its own, and then counts it. What it
// returns beside that is how many a record is due for.
func (c *eventCount) hold(now time.Time) (held bool, due int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.since) >= refusalWindow {
		due = c.held
		c.since, c.count, c.held = now, 0, 0
	}
	c.count++
	if c.count <= recordedLockouts {
		return false, due
	}
	c.held++
	return true, due
}

// expired is how many a record is due for, when the minute is over or at the end.
func (c *eventCount) expired(now time.Time, all bool) (due int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if all || now.Sub(c.since) >= refusalWindow {
		due, c.held = c.held, 0
	}
	return due
}

// lockoutStart says that a client is locked out.
func (a *auditLog) lockoutStart(client string, rule lockoutRule) {
	held, due := a.started.hold(time.Now())
	a.manyLockouts(slog.LevelWarn, eventLockoutStart, due)
	if !held {
		a.event(slog.LevelWarn, eventLockoutStart,
			slog.String("client_ip", client), slog.Int("failures", rule.failures),
			slog.Int64("ban_ms", rule.ban.Milliseconds()))
	}
}

// lockoutEnd says that a client's ban is over.
func (a *auditLog) lockoutEnd(client string) {
	held, due := a.ended.hold(time.Now())
	a.manyLockouts(slog.LevelInfo, eventLockoutEnd, due)
	if !held {
		a.event(slog.LevelInfo, eventLockoutEnd, slog.String("client_ip", client))
	}
}

// writeLockouts writes the records of lockouts that were counted.
func (a *auditLog) writeLockouts(now time.Time, all bool) {
	a.manyLockouts(slog.LevelWarn, eventLockoutStart, a.started.expired(now, all))
	a.manyLockouts(slog.LevelInfo, eventLockoutEnd, a.ended.expired(now, all))
}

func (a *auditLog) manyLockouts(level slog.Level, event string, count int) {
	if count > 0 {
		a.event(level, event, slog.String("client_ip", othersAddress), slog.Int("count", count))
	}
}

// isStrangers reports whether an event is one that strangers cause: the reserve of the
// disk is not for them.
func isStrangers(event string) bool { return event == eventLockoutStart || event == eventLockoutEnd }
