package caddymodule

import (
	"cmp"
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

// A client can cause refusals and requests on public routes at no cost, and each record
// has some 600 bytes: one machine could write 31 GB an hour. So the first requests of a
// client in a minute have a record each, and the later ones share a summary, written at
// the end of the minute.
const (
	// recordedRefusals is how many refusals of a client are recorded one by one.
	recordedRefusals = 20
	// refusalWindow is the time in which they are counted, and after which the summary of
	// the rest is written.
	refusalWindow = time.Minute
	// maxRefusedClients bounds the clients with a count of their own in a minute: with
	// their records, 13 MB at most. Clients beyond that share one count.
	maxRefusedClients = 1024
	// recordedPublic is how many requests on public routes of a client are recorded one
	// by one: more than a page with all of its files, for several readers at one address.
	recordedPublic = 300
	// recordedPublicInAll bounds those of all clients in a minute: 12 MB.
	recordedPublicInAll = 20 * maxRefusedClients
)

// othersAddress replaces the client's address in the summary of the clients beyond
// [maxRefusedClients].
const othersAddress = "others"

// refusalKey is the key by which refusals are counted: the client and, for a token that
// is or was valid, its name or fp6. So other requests from the same address do not hide
// the use of that token. Beyond [maxRefusedClients], each such token still has a count of
// its own; the keyring bounds their number.
type refusalKey struct {
	client netip.Addr
	token  string
	others bool
}

// refusalKeyOf returns the key of a refusal. A token name contains no colon, so it cannot
// be mistaken for a fingerprint.
func refusalKeyOf(s *requestState, d *decisionRecord) refusalKey {
	key := refusalKey{client: clientKey(s.clientAddr()), token: d.token}
	switch authmin.Reason(d.reason) {
	case authmin.ReasonExpired, authmin.ReasonRevoked, authmin.ReasonNotYet:
		key.token = "fp6:" + d.fp6
	}
	return key
}

// clientRefusals counts the refusals of one client in one window.
type clientRefusals struct {
	since   time.Time
	count   int
	held    int            // without a record of their own
	last    decisionRecord // of those without a record of their own
	reasons map[string]int // of those without a record of their own
}

// refusalLog decides which refusals have a record of their own, and counts the others.
type refusalLog struct {
	each, inAll int           // recorded one by one in a window; zeros are [recordedRefusals] and no bound
	window      time.Duration // 0 is [refusalWindow]
	most        int           // counts; beyond them each has a record. 0: see [maxRefusedClients]

	mu      sync.Mutex
	clients map[refusalKey]*clientRefusals
	since   time.Time // of the window of inAll
	alone   int       // recorded one by one in it
}

// lasts is the length of a window.
func (l *refusalLog) lasts() time.Duration { return cmp.Or(l.window, refusalWindow) }

// recordAlone reports whether another refusal of a client has a record of its own.
func (l *refusalLog) recordAlone(r *clientRefusals, now time.Time) bool {
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
	if now.Sub(l.since) >= l.lasts() {
		l.since, l.alone = now, 0
	}
	l.alone++
	return l.alone <= l.inAll
}

// hold reports whether a refusal is counted instead of recorded. due is the summary of
// the previous window, if that has ended.
func (l *refusalLog) hold(key refusalKey, d *decisionRecord, now time.Time) (held bool, due *decisionRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.clients[key]
	if r == nil && l.most > 0 && len(l.clients) >= l.most {
		return false, nil
	}
	if r == nil && l.most == 0 && len(l.clients) >= maxRefusedClients {
		key = refusalKey{token: key.token, others: true}
		r = l.clients[key]
	}
	if r != nil && now.Sub(r.since) >= l.lasts() {
		due = r.summary(key)
		r = nil
	}
	if r == nil {
		if l.clients == nil {
			l.clients = map[refusalKey]*clientRefusals{}
		}
		r = &clientRefusals{since: now}
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

// expired removes the windows that have ended, or all of them, and returns their
// summaries.
func (l *refusalLog) expired(now time.Time, all bool) (due []*decisionRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, r := range l.clients {
		if !all && now.Sub(r.since) < l.lasts() {
			continue
		}
		delete(l.clients, key)
		if d := r.summary(key); d != nil {
			due = append(due, d)
		}
	}
	return due
}

// summary returns the record of all refusals of a window without a record of their own:
// the last of them, with their number and reasons. It is nil if there were none.
func (r *clientRefusals) summary(key refusalKey) *decisionRecord {
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
		if reason == "" { // allowed, on a public route
			continue
		}
		why = append(why, fmt.Sprintf("%s=%d", reason, r.reasons[reason]))
	}
	d.reasons = strings.Join(why, " ")
	return &d
}

// holdExpendable reports whether a refusal, or a request on a public route, is counted
// instead of recorded. It writes the summary of the previous window, if that is due.
func (a *auditLog) holdExpendable(s *requestState, d *decisionRecord) bool {
	log := &a.refusals
	if d.event == eventAllowed {
		log = &a.publicRequests
	}
	held, due := log.hold(refusalKeyOf(s, d), d, time.Now())
	if due != nil {
		a.writeSummary(due)
	}
	return held
}

// tick writes the summaries of the windows that have ended.
func (a *auditLog) tick(now time.Time) { a.writeExpired(now, false) }

// writeExpired writes the summaries of the windows that have ended, or of all windows.
func (a *auditLog) writeExpired(now time.Time, all bool) {
	for _, log := range []*refusalLog{&a.refusals, &a.publicRequests, &a.repeats} {
		for _, d := range log.expired(now, all) {
			a.writeSummary(d)
		}
	}
	a.writeLockouts(now, all)
}

// writeSummary writes the summary of a window. It waits for no sink.
func (a *auditLog) writeSummary(d *decisionRecord) {
	d.setDecision(d.level, d.event, d.decision, d.reason, d.status)
	_ = a.out.Handler().Handle(context.Background(), d.record())
}

// summaryAttrs are the fields that only a summary has.
func (d *decisionRecord) summaryAttrs() []slog.Attr {
	if d.count == 0 {
		return nil
	}
	return []slog.Attr{
		slog.Int("count", d.count), slog.String("reasons", d.reasons), slog.Time("since", d.since),
	}
}
