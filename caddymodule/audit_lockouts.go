package caddymodule

import (
	"log/slog"
	"sync"
	"time"
)

// recordedLockouts is how many starts, and how many ends, of lockouts have a record of
// their own in a minute. A network with many IPv6 prefixes fills the table of locked
// clients in every ban; beyond this number they share a record: 30 MB an hour at most.
const recordedLockouts = 1024

// eventCount decides which events of a minute have a record of their own; it counts the
// others.
type eventCount struct {
	mu    sync.Mutex
	since time.Time
	count int
	held  int
}

// hold reports whether an event is counted instead of recorded. due is how many events
// of the minute before need a record.
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

// expired returns how many events need a record, when the minute is over or at the end.
func (c *eventCount) expired(now time.Time, all bool) (due int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if all || now.Sub(c.since) >= refusalWindow {
		due, c.held = c.held, 0
	}
	return due
}

// lockoutStart records that a client is locked out.
func (a *auditLog) lockoutStart(client string, rule lockoutRule) {
	held, due := a.started.hold(time.Now())
	a.manyLockouts(slog.LevelWarn, eventLockoutStart, due)
	if !held {
		a.event(slog.LevelWarn, eventLockoutStart,
			slog.String("client_ip", client), slog.Int("failures", rule.failures),
			slog.Int64("ban_ms", rule.ban.Milliseconds()))
	}
}

// lockoutEnd records that a client's ban is over.
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

// isExpendable reports whether clients without a token cause an event: such records may
// not use the reserve of the disk.
func isExpendable(event string) bool { return event == eventLockoutStart || event == eventLockoutEnd }
