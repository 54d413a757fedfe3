package orchestrator

import (
	"container/list"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// MaxTurns is api.md's number of tasks that one session takes.
	MaxTurns = 8
	// maxSessions bounds all sessions: at less than 1 KiB each they fill a tenth
	// of their bucket. maxSessionsEach keeps one identity from pushing out the
	// sessions of everybody else.
	maxSessions     = 10_000
	maxSessionsEach = 1_000
)

// Session is what is remembered of a conversation: where its last turn ran, so
// that the next one finds the KV cache there. It holds no text.
type Session struct {
	SessionID  string    `json:"session_id"`
	Owner      string    `json:"owner" doc:"The identity that made it"`
	Turns      int       `json:"turns"`
	MaxTurns   int       `json:"max_turns"`
	NodeID     string    `json:"node_id,omitempty" doc:"Where its last turn went"`
	PoolID     string    `json:"pool_id,omitempty"`
	ModelRef   string    `json:"model_ref,omitempty"`
	KVWarmth   bool      `json:"kv_warmth" doc:"That pool still holds its KV cache, as far as is known"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// session is a session in memory. One that no caller has named is nowhere else:
// most tasks are the only one of theirs, and losing it costs warmth at most.
type session struct {
	Session
	named   bool
	expires time.Time // as ExpiresAt, with the monotonic clock
}

// sessions are all there are, the least recently used first. The newest write
// of a session wins: it is a memory aid, not a ledger.
type sessions struct {
	bucket *store.Bucket
	log    *slog.Logger
	now    func() time.Time

	mu   sync.Mutex
	byID map[string]*list.Element // of *session
	used *list.List
	each map[string]int // how many each identity has
}

func newSessions(b *store.Bucket, log *slog.Logger, now func() time.Time) *sessions {
	return &sessions{bucket: b, log: log, now: now, byID: map[string]*list.Element{}, used: list.New(), each: map[string]int{}}
}

// load reads the sessions that callers have named.
func (ss *sessions) load(ctx context.Context) error {
	var all []*session
	err := ss.bucket.Each(ctx, func(e store.Entry) error {
		s := &session{named: true}
		if err := json.Unmarshal(e.Value, &s.Session); err != nil {
			return fmt.Errorf("decoding session %s: %w", e.Key, err)
		}
		all = append(all, s)
		return nil
	})
	slices.SortFunc(all, func(a, b *session) int { return a.LastUsedAt.Compare(b.LastUsedAt) })
	for _, s := range all {
		now := ss.now()
		s.expires = now.Add(min(s.ExpiresAt.Sub(now), store.SessionTTL))
		ss.add(s)
	}
	return err
}

// take counts a turn of the session and makes it if there is none. A named one
// is on disk afterwards.
func (ss *sessions) take(ctx context.Context, who Who, id string, named bool) error {
	ss.mu.Lock()
	s := ss.find(id)
	var evicted *session
	if s == nil {
		now := ss.now().UTC()
		s = &session{Session: Session{SessionID: id, Owner: who.Identity, MaxTurns: MaxTurns, CreatedAt: now}}
		evicted = ss.add(s)
	}
	switch {
	case s.Owner != who.Identity:
		ss.mu.Unlock()
		return fail(Conflict, "SESSION_EXISTS", "this session_id is taken")
	case s.Turns >= MaxTurns:
		ss.mu.Unlock()
		return fail(Conflict, "SESSION_FULL", "a session has at most %d turns; begin another", MaxTurns)
	}
	s.Turns++
	s.named = s.named || named
	ss.touch(s)
	copied := *s
	ss.mu.Unlock()
	err := ss.write(ctx, copied)
	if err == nil && evicted != nil && evicted.named {
		err = ss.bucket.Delete(ctx, evicted.SessionID)
	}
	if err != nil {
		ss.giveBack(id)
	}
	return err
}

// giveBack takes a turn back whose task was not taken after all.
func (ss *sessions) giveBack(id string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.find(id); s != nil {
		s.Turns--
	}
}

// placed notes where a turn goes, and reports whether the KV cache is there.
func (ss *sessions) placed(id, nodeID, poolID, model string) (warm bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.find(id)
	if s == nil {
		return false
	}
	if s.NodeID != nodeID || s.PoolID != poolID || s.ModelRef != model {
		s.NodeID, s.PoolID, s.ModelRef, s.KVWarmth = nodeID, poolID, model, false
	}
	return s.KVWarmth
}

// served notes that a turn has ended well where placed said it went.
func (ss *sessions) served(ctx context.Context, id string) {
	ss.mu.Lock()
	s := ss.find(id)
	if s == nil {
		ss.mu.Unlock()
		return
	}
	s.KVWarmth = true
	ss.touch(s)
	copied := *s
	ss.mu.Unlock()
	if err := ss.write(ctx, copied); err != nil {
		ss.log.Warn("session is not written", "session_id", id, "error", err)
	}
}

// home gives the pool that holds the session's KV cache; "" if none does.
func (ss *sessions) home(id, model string) string {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.find(id); s != nil && s.KVWarmth && s.ModelRef == model {
		return poolKey(s.NodeID, s.PoolID)
	}
	return ""
}

// get gives a session that who may see.
func (ss *sessions) get(who Who, id string) (Session, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.find(id)
	if s == nil || !who.may(s.Owner) {
		return Session{}, fail(NotFound, "SESSION_NOT_FOUND", "no session of yours has this id, or it has expired")
	}
	return s.Session, nil
}

// remove forgets a session; its tasks go on.
func (ss *sessions) remove(ctx context.Context, who Who, id string) error {
	if _, err := ss.get(who, id); err != nil {
		return err
	}
	ss.mu.Lock()
	if el := ss.byID[id]; el != nil {
		ss.drop(el)
	}
	ss.mu.Unlock()
	return ss.bucket.Delete(ctx, id)
}
