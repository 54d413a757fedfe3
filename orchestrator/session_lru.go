package orchestrator

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/google/uuid"

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

// apply makes a state of a session what memory knows, unless that is newer. The
// caller deletes the record of the one that had to go.
func (ss *sessions) apply(s session) (evicted *session) {
	if !ss.now().Before(s.expires) {
		return nil
	}
	if el := ss.byID[s.SessionID]; el != nil {
		if known := el.Value.(*session); s.revision >= known.revision {
			if known.turn != "" && known.turn != s.turn { // a later turn than s knows of runs
				s.NodeID, s.PoolID, s.ModelRef, s.KVWarmth, s.turn = known.NodeID, known.PoolID, known.ModelRef, known.KVWarmth, known.turn
			}
			*known = s
			ss.order(el)
		}
		return nil
	}
	switch {
	case ss.each[s.Owner] >= maxSessionsEach:
		evicted = ss.drop(ss.oldest(s.Owner))
	case !admits(maxSessions, int64(ss.used.Len()), int64(ss.each[s.Owner]), 1):
		evicted = ss.drop(ss.oldest(largest(ss.each)))
	}
	el := ss.used.PushBack(&s)
	ss.byID[s.SessionID] = el
	ss.each[s.Owner]++
	ss.order(el)
	return evicted
}

// order puts a session before those that expire later. Most often none does: only
// a turn that is given back, and news from another replica, leave the time as it was.
func (ss *sessions) order(el *list.Element) {
	before := ss.used.Back()
	for before != nil && (before == el || before.Value.(*session).expires.After(el.Value.(*session).expires)) {
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

// modify changes a session by f, which says whether there is something to change:
// first on disk, if callers have named it, then in memory. When another replica
// was faster it takes that over and asks f again. mu is not held.
func (ss *sessions) modify(ctx context.Context, id string, f func(s *session, found bool) (bool, error)) error {
	defer ss.lock(id)()
	for expired := uint64(0); ; {
		ss.mu.Lock()
		var s session
		known := ss.find(id)
		if known != nil {
			s = *known
		}
		changed, err := f(&s, known != nil)
		if err != nil || !changed {
			ss.mu.Unlock()
			return err
		}
		if !s.named {
			evicted := ss.apply(s)
			ss.mu.Unlock()
			return ss.erase(ctx, evicted)
		}
		ss.mu.Unlock()
		if known == nil {
			s.revision = expired
		}
		s.revision, err = ss.write(ctx, s)
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) {
			if expired, err = ss.reread(ctx, id); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		ss.mu.Lock()
		evicted := ss.apply(s)
		ss.mu.Unlock()
		return ss.erase(ctx, evicted)
	}
}

// lock keeps others on this replica from changing the session meanwhile.
func (ss *sessions) lock(id string) (unlock func()) {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(id))
	m := &ss.changing[sum.Sum32()%uint32(len(ss.changing))]
	m.Lock()
	return m.Unlock
}

// write puts a session on disk, which begins its record's TTL anew.
func (ss *sessions) write(ctx context.Context, s session) (uint64, error) {
	value, err := json.Marshal(s.Session)
	if err != nil {
		return 0, fmt.Errorf("encoding session %s: %w", s.SessionID, err)
	}
	if s.revision == 0 {
		return ss.bucket.Create(ctx, s.SessionID, value)
	}
	return ss.bucket.Update(ctx, s.SessionID, value, s.revision)
}

// reread takes over what another replica has written of a session. One that has
// expired by our clock, though the store still has it, is given by its revision.
func (ss *sessions) reread(ctx context.Context, id string) (expired uint64, err error) {
	e, err := ss.bucket.Get(ctx, id)
	if err == nil {
		ss.observe(e)
		if !ss.has(id) {
			expired = e.Revision
		}
		return expired, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.find(id); s != nil {
		s.revision = 0 // its record has expired a moment before it
	}
	return 0, nil
}

func (ss *sessions) erase(ctx context.Context, evicted *session) error {
	if evicted == nil || !evicted.named {
		return nil
	}
	return ss.bucket.Delete(ctx, evicted.SessionID)
}

func (ss *sessions) oldest(owner string) *list.Element {
	el := ss.used.Front()
	for el.Value.(*session).Owner != owner {
		el = el.Next()
	}
	return el
}

func (ss *sessions) has(id string) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.find(id) != nil
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

// Session gives a session of the caller's.
func (o *Orchestrator) Session(who Who, id string) (Session, error) {
	id = spelled(id)
	if o.store.Shared() && uuid.Validate(id) == nil && !o.sessions.has(id) {
		ctx, cancel := context.WithTimeout(o.lifecycle.ctx, lookTimeout)
		defer cancel()
		if _, err := o.sessions.reread(ctx, id); err != nil {
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
	return o.sessions.remove(ctx, who, spelled(id))
}
