package caddymodule

import (
	"log/slog"
	"sync"
	"time"
)

// recordedLockouts is how many starts, and how many ends, of lockouts have a record of
// their own in a minute. A network with many IPv6 prefixes could fill the table of locked
// clients again after every ban. Beyond this number they share a summary: 30 MB an hour
// at most.
const recordedLockouts = 1024

// eventCount decides which events of a minute have a record of their own, and counts the
// others.
type eventCount struct {
	mu    sync.Mutex
	since time.Time
	count int
	held  int
}

// hold reports whether an event is counted instead of recorded. due is the number of
// events of the previous minute that need a summary.
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

// expired returns the number of events that need a summary, if the minute has ended or
// with all.
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

// lockoutEnd records that a client's ban has ended.
func (a *auditLog) lockoutEnd(client string) {
	held, due := a.ended.hold(time.Now())
	a.manyLockouts(slog.LevelInfo, eventLockoutEnd, due)
	if !held {
		a.event(slog.LevelInfo, eventLockoutEnd, slog.String("client_ip", client))
	}
}

// writeLockouts writes the summaries of the lockouts that were counted.
func (a *auditLog) writeLockouts(now time.Time, all bool) {
	a.manyLockouts(slog.LevelWarn, eventLockoutStart, a.started.expired(now, all))
	a.manyLockouts(slog.LevelInfo, eventLockoutEnd, a.ended.expired(now, all))
}

func (a *auditLog) manyLockouts(level slog.Level, event string, count int) {
	if count > 0 {
		a.event(level, event, slog.String("client_ip", othersAddress), slog.Int("count", count))
	}
}

// isExpendable reports whether clients without a token can cause an event. The record of
// such an event may not use the disk reserve.
func isExpendable(event string) bool { return event == eventLockoutStart || event == eventLockoutEnd }
