package orchestrator

import (
	"container/list"
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/llorch/gateway/orchestrator/store"
)

// sessions is the index of its recordCache: mu is held below.

func (ss *sessions) decode(value []byte) (s session, err error) {
	s.named = true
	if err = json.Unmarshal(value, &s.Session); err == nil {
		now := ss.now()
		s.expires = now.Add(min(s.ExpiresAt.Sub(now), store.SessionTTL))
	}
	return s, err
}

func (ss *sessions) encode(s session) ([]byte, error) {
	value, err := json.Marshal(s.Session)
	if err != nil {
		return nil, fmt.Errorf("encoding session %s: %w", s.SessionID, err)
	}
	return value, nil
}

func (ss *sessions) inMemory(s session) bool { return !s.named }

// lookUp gives a session that has not expired.
func (ss *sessions) lookUp(id string) *cached[session] {
	now := ss.now()
	for el := ss.used.Front(); el != nil && !now.Before(sessionOf(el).value.expires); el = ss.used.Front() {
		ss.dropElement(el)
	}
	if el := ss.byID[id]; el != nil {
		return sessionOf(el)
	}
	return nil
}

func sessionOf(el *list.Element) *cached[session] { return el.Value.(*cached[session]) }

// find is lookUp for the session alone.
func (ss *sessions) find(id string) *session {
	if known := ss.lookUp(id); known != nil {
		return &known.value
	}
	return nil
}

// put stores a state of a session in memory, unless memory has a newer one.
func (ss *sessions) put(id string, next cached[session]) (evicted string) {
	s := &next.value
	if !ss.now().Before(s.expires) {
		return ""
	}
	if el := ss.byID[id]; el != nil {
		if known := sessionOf(el); next.revision >= known.revision {
			if k := known.value; k.turn != "" && k.turn != s.turn { // a later turn than s knows of runs
				s.NodeID, s.PoolID, s.ModelRef, s.KVWarmth, s.turn = k.NodeID, k.PoolID, k.ModelRef, k.KVWarmth, k.turn
			}
			*known = next
			ss.order(el)
		}
		return ""
	}
	switch {
	case ss.each[s.Owner] >= maxSessionsEach:
		evicted = ss.evict(s.Owner)
	case !admits(maxSessions, int64(ss.used.Len()), int64(ss.each[s.Owner]), 1):
		evicted = ss.evict(largest(ss.each))
	}
	el := ss.used.PushBack(&next)
	ss.byID[id] = el
	ss.each[s.Owner]++
	ss.order(el)
	return evicted
}

// drop forgets a session.
func (ss *sessions) drop(id string) {
	if el := ss.byID[id]; el != nil {
		ss.dropElement(el)
	}
}

func (ss *sessions) dropElement(el *list.Element) session {
	s := ss.used.Remove(el).(*cached[session]).value
	delete(ss.byID, s.SessionID)
	if ss.each[s.Owner]--; ss.each[s.Owner] <= 0 {
		delete(ss.each, s.Owner)
	}
	return s
}

// vanished makes the next change write the session anew: its record has expired a
// moment before the session.
func (ss *sessions) vanished(id string) {
	if known := ss.lookUp(id); known != nil {
		known.revision = 0
	}
}

// evict forgets the oldest session of an identity, and gives the key of its record.
func (ss *sessions) evict(owner string) (key string) {
	el := ss.used.Front()
	for sessionOf(el).value.Owner != owner {
		el = el.Next()
	}
	if s := ss.dropElement(el); s.named {
		return s.SessionID
	}
	return ""
}

// ids lists the sessions that have a record.
func (ss *sessions) ids() (named []string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for id, el := range ss.byID {
		if sessionOf(el).revision > 0 {
			named = append(named, id)
		}
	}
	return named
}

// order puts a session before those that expire later. Most often none does: only
// a turn that is given back, and records of another replica, keep the time as it was.
func (ss *sessions) order(el *list.Element) {
	before := ss.used.Back()
	for before != nil && (before == el || sessionOf(before).value.expires.After(sessionOf(el).value.expires)) {
		before = before.Prev()
	}
	if before == nil {
		ss.used.MoveToFront(el)
		return
	}
	ss.used.MoveAfter(el, before)
}

// renew begins the time to live anew.
func (ss *sessions) renew(s *session) {
	now := ss.now()
	s.expires = now.Add(store.SessionTTL)
	s.LastUsedAt, s.ExpiresAt = now.UTC(), s.expires.UTC()
}

// Session gives a session of the caller's.
func (o *Orchestrator) Session(who Who, id string) (Session, error) {
	id = spelled(id)
	if o.store.Shared() && uuid.Validate(id) == nil {
		ctx, cancel := context.WithTimeout(o.lifecycle.ctx, lookTimeout)
		defer cancel()
		if err := o.sessions.fetch(ctx, id); err != nil {
			return Session{}, err
		}
	}
	s, err := o.sessions.get(who, id)
	s.KVWarmth = s.KVWarmth && o.nodes.holds(s.NodeID, s.PoolID, o.catalog.resolve(s.ModelRef))
	return s, err
}

// RemoveSession forgets a session of the caller's.
func (o *Orchestrator) RemoveSession(ctx context.Context, who Who, id string) error {
	if _, err := o.Session(who, id); err != nil { // also one that only another replica knows yet
		return err
	}
	return o.sessions.forget(ctx, who, spelled(id))
}
