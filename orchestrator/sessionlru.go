package orchestrator

import (
	"container/list"
	"context"
	"encoding/json"
	"fmt"

	"github.com/llorch/gateway/orchestrator/store"
)

// find gives a session that has not expired. mu is held, here and below.
func (ss *sessions) find(id string) *session {
	now := ss.now()
	for el := ss.used.Front(); el != nil && !now.Before(el.Value.(*session).expires); el = ss.used.Front() {
		ss.drop(el)
	}
	if el := ss.byID[id]; el != nil {
		return el.Value.(*session)
	}
	return nil
}

// add makes room, and puts the session in as the newest. The caller deletes the
// record of the one that had to go.
func (ss *sessions) add(s *session) (evicted *session) {
	switch {
	case ss.each[s.Owner] >= maxSessionsEach:
		evicted = ss.drop(ss.oldest(s.Owner))
	case ss.used.Len() >= maxSessions:
		evicted = ss.drop(ss.used.Front())
	}
	ss.byID[s.SessionID] = ss.used.PushBack(s)
	ss.each[s.Owner]++
	if s.expires.IsZero() {
		ss.touch(s)
	}
	return evicted
}

// touch makes the session the newest.
func (ss *sessions) touch(s *session) {
	now := ss.now()
	s.expires = now.Add(store.SessionTTL)
	s.LastUsedAt, s.ExpiresAt = now.UTC(), s.expires.UTC()
	ss.used.MoveToBack(ss.byID[s.SessionID])
}

func (ss *sessions) oldest(owner string) *list.Element {
	el := ss.used.Front()
	for el.Value.(*session).Owner != owner {
		el = el.Next()
	}
	return el
}

// drop forgets a session.
func (ss *sessions) drop(el *list.Element) *session {
	s := ss.used.Remove(el).(*session)
	delete(ss.byID, s.SessionID)
	if ss.each[s.Owner]--; ss.each[s.Owner] <= 0 {
		delete(ss.each, s.Owner)
	}
	return s
}

// write puts a named session on disk, which begins its TTL anew. mu is not held.
func (ss *sessions) write(ctx context.Context, s session) error {
	if !s.named {
		return nil
	}
	value, err := json.Marshal(s.Session)
	if err != nil {
		return fmt.Errorf("encoding session %s: %w", s.SessionID, err)
	}
	return ss.bucket.Put(ctx, s.SessionID, value)
}

// Session gives a session of the caller's.
func (o *Orchestrator) Session(who Who, id string) (Session, error) {
	s, err := o.sessions.get(who, id)
	s.KVWarmth = s.KVWarmth && o.nodes.holds(s.NodeID, s.PoolID, s.ModelRef)
	return s, err
}

// RemoveSession forgets a session of the caller's.
func (o *Orchestrator) RemoveSession(ctx context.Context, who Who, id string) error {
	return o.sessions.remove(ctx, who, id)
}
