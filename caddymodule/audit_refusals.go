package caddymodule

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/llorch/gateway/authmin"
)

// Refusals, and requests on public routes, cost a client nothing, and a record of the
// trail is some 600 bytes: one machine could cause 31 GB an hour. So the first of a
// client in a minute have a record each, and all later ones share one, written when the
// minute is over.
const (
	// recordedRefusals is how many refusals of a client are recorded one by one.
	recordedRefusals = 20
	// refusalWindow is the time in which they count, and after which the rest are
	// recorded together.
	refusalWindow = time.Minute
	// maxRefusers bounds the clients that are told apart in a minute: with their
	// records, 13 MB at most. Those beyond share one count.
	maxRefusers = 1024
	// recordedPublic is how many requests on public routes of a client are recorded one
	// by one: more than a page with all of its files, for several readers at one address.
	recordedPublic = 300
	// recordedPublicInAll bounds those of all clients in a minute: 12 MB.
	recordedPublicInAll = 20 * maxRefusers
)

// othersAddress stands for the client's address in the record of those beyond
// [maxRefusers].
const othersAddress = "others"

// refuserKey is what refusals are counted by: the client and, for a token that is or was
// valid, its name or fp6, so that other requests from the same address do not hide it.
// Nor does a flood from many addresses: beyond [maxRefusers] each such token still has a
// count of its own, and the keyring bounds how many there are.
type refuserKey struct {
	client netip.Addr
	token  string
	others bool
}

// refuserOf returns the key of a refusal. A name has no colon in it, so that none looks
// like a fingerprint.
func refuserOf(s *requestState, d *decisionRecord) refuserKey {
	key := refuserKey{client: clientKey(s.clientAddr()), token: d.token}
	switch authmin.Reason(d.reason) {
	case authmin.ReasonExpired, authmin.ReasonRevoked, authmin.ReasonNotYet:
		key.token = "fp6:" + d.fp6
	}
	return key
}

// refuser counts the refusals of one client in one window.
type refuser struct {
	since   time.Time
	count   int
	held    int            // without a record of their own
	last    decisionRecord // of those without a record of their own
	reasons map[string]int // of the same
}

// refusalLog decides which refusals have a record of their own; it counts the others.
type refusalLog struct {
	each, inAll int // recorded one by one in a window; zeros are [recordedRefusals] and no bound

	mu      sync.Mutex
	clients map[refuserKey]*refuser
	since   time.Time // of the window of inAll
	alone   int       // recorded one by one in it
}

// recordAlone reports whether one more of a client has a record of its own.
func (l *refusalLog) recordAlone(r *refuser, now time.Time) bool {
	each := l.each
	if each == 0 {
		each = recordedRefusals
	}
	if r.count > each {
		return false
	}
	if l.inAll == 0 {
		return true
	}
	if now.Sub(l.since) >= refusalWindow {
		l.since, l.alone = now, 0
	}
	l.alone++
	return l.alone <= l.inAll
}

// hold reports whether a refusal is counted instead of recorded. due is the record of
// the minute before, if that is over.
func (l *refusalLog) hold(key refuserKey, d *decisionRecord, now time.Time) (held bool, due *decisionRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.clients[key]
	if r == nil && len(l.clients) >= maxRefusers {
		key = refuserKey{token: key.token, others: true}
		r = l.clients[key]
	}
	if r != nil && now.Sub(r.since) >= refusalWindow {
		due = r.together(key)
		r = nil
	}
	if r == nil {
		if l.clients == nil {
			l.clients = map[refuserKey]*refuser{}
		}
		r = &refuser{since: now}
		l.clients[key] = r
	}
	r.count++
	if l.recordAlone(r, now) {
		return false, due
	}
	r.held++
	r.last = *d
	r.last.line = nil
	if r.reasons == nil {
		r.reasons = map[string]int{}
	}
	r.reasons[d.reason]++
	return true, due
}

// expired removes the windows that are over, or all of them, and returns the
// records that are due for them.
func (l *refusalLog) expired(now time.Time, all bool) (due []*decisionRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, r := range l.clients {
		if !all && now.Sub(r.since) < refusalWindow {
			continue
		}
		delete(l.clients, key)
		if d := r.together(key); d != nil {
			due = append(due, d)
		}
	}
	return due
}

// together is the one record of all refusals of a window without a record of their
// own: the last of them, with how many there were and why. It is nil for none.
func (r *refuser) together(key refuserKey) *decisionRecord {
	if r.held == 0 {
		return nil
	}
	d := r.last
	d.count, d.since = r.held, r.since
	if key.others {
		d.remote, d.clientIP = netip.Addr{}, othersAddress
	}
	var why []string
	for _, reason := range slices.Sorted(maps.Keys(r.reasons)) {
		if reason == "" { // a public route lets in for none
			continue
		}
		why = append(why, fmt.Sprintf("%s=%d", reason, r.reasons[reason]))
	}
	d.reasons = strings.Join(why, " ")
	return &d
}

// holdExpendable reports whether a refusal, or a request on a public route, is counted
// instead of recorded. It writes the record of the minute before, if that is due.
func (a *auditLog) holdExpendable(s *requestState, d *decisionRecord) bool {
	log := &a.refusals
	if d.event == eventAllowed {
		log = &a.publicRequests
	}
	held, due := log.hold(refuserOf(s, d), d, time.Now())
	if due != nil {
		a.writeHeld(due)
	}
	return held
}

// tick writes the records of what was counted, where the minute is over.
func (a *auditLog) tick(now time.Time) { a.writeExpired(now, false) }

// writeExpired is tick, with all of them at the end.
func (a *auditLog) writeExpired(now time.Time, all bool) {
	for _, log := range []*refusalLog{&a.refusals, &a.publicRequests} {
		for _, d := range log.expired(now, all) {
			a.writeHeld(d)
		}
	}
	a.writeLockouts(now, all)
}

// writeHeld writes one record for many refusals. It waits for no sink.
func (a *auditLog) writeHeld(d *decisionRecord) {
	d.says(d.level, d.event, d.decision, d.reason, d.status)
	_ = a.out.Handler().Handle(context.Background(), d.record())
}

// together are the fields that only a record of many refusals has.
func (d *decisionRecord) together() []slog.Attr {
	if d.count == 0 {
		return nil
	}
	return []slog.Attr{
		slog.Int("count", d.count), slog.String("reasons", d.reasons), slog.Time("since", d.since),
	}
}
