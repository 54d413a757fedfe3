package orchestrator

import (
	"container/list"
	"context"
	"log/slog"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// MaxTurns is how many tasks one session takes.
	MaxTurns = 8
	// maxSessions bounds all sessions: at less than 1 KiB each they fill a tenth
	// of their bucket. maxSessionsEach is what one identity may have of them; when
	// all are too many, the oldest of the identity that has most goes.
	maxSessions     = 10_000
	maxSessionsEach = maxSessions * 9 / 10
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

// session is a session in memory. One that no caller has named has no record: most
// have a single task, and losing them costs at most a warm cache.
type session struct {
	Session
	named   bool
	expires time.Time // as ExpiresAt, with the monotonic clock
	turn    string    // the task that was placed last, while it runs here
}

// sessions holds all sessions in the order of their expiry, which is that of their last
// use. A turn is counted once in a cluster.
type sessions struct {
	recordCache[session]
	now func() time.Time

	byID map[string]*list.Element // of *cached[session]
	used *list.List               // by expires
	each map[string]int           // how many each identity has
}

func newSessions(b *store.Bucket, log *slog.Logger, now func() time.Time) *sessions {
	ss := &sessions{now: now, byID: map[string]*list.Element{}, used: list.New(), each: map[string]int{}}
	ss.recordCache = newRecordCache("session", b, log, 64, ss)
	return ss
}

// seen notes the session of a task that another replica has taken. If a caller
// has named it, its record comes as well.
func (ss *sessions) seen(t Task) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.lookUp(t.SessionID) == nil {
		s := session{Session: Session{SessionID: t.SessionID, Owner: t.Owner, Turns: 1, MaxTurns: MaxTurns, CreatedAt: t.CreatedAt}}
		ss.renew(&s)
		ss.put(t.SessionID, cached[session]{value: s})
	}
}

// take counts a turn of the session and makes it if there is none. A named one
// is on disk afterwards.
func (ss *sessions) take(ctx context.Context, who Who, id string, named bool) error {
	_, err := ss.modify(ctx, id, func(next *cached[session], found bool) (bool, error) {
		s := &next.value
		if !found {
			*s = session{Session: Session{SessionID: id, Owner: who.Identity, MaxTurns: MaxTurns, CreatedAt: ss.now().UTC()}}
		}
		if err := s.refuses(who); err != nil {
			return false, err
		}
		s.Turns++
		s.named = s.named || named
		ss.renew(s)
		return true, nil
	})
	return err
}

// admits checks a turn against the session in memory: it gives the error of take, without a
// write.
func (ss *sessions) admits(who Who, id string) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.find(id); s != nil {
		return s.refuses(who)
	}
	return nil
}

// refuses says why the identity can have no turn of the session; nil if it can.
func (s *session) refuses(who Who) error {
	switch {
	case s.Owner != who.Identity:
		return fail(Conflict, "SESSION_EXISTS", "this session_id is taken")
	case s.Turns >= MaxTurns:
		return fail(Conflict, "SESSION_FULL", "a session has at most %d turns; begin another", MaxTurns)
	}
	return nil
}

// giveBack undoes the turn of a task that was not admitted.
func (ss *sessions) giveBack(ctx context.Context, id string) {
	_, err := ss.modify(ctx, id, func(next *cached[session], found bool) (bool, error) {
		next.value.Turns--
		return found, nil
	})
	if err != nil {
		ss.log.Warn("could not give session turn back", "session_id", id, "error", err)
	}
}

// placed notes where a turn goes, and reports whether the KV cache is there. Until
// turnEnded, records of an earlier turn do not change that.
func (ss *sessions) placed(id, taskID, nodeID, poolID, model string) (warm bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.find(id)
	if s == nil {
		return false
	}
	s.turn = taskID
	if s.NodeID != nodeID || s.PoolID != poolID || s.ModelRef != model {
		s.NodeID, s.PoolID, s.ModelRef, s.KVWarmth = nodeID, poolID, model, false
	}
	return s.KVWarmth
}

// served notes that a turn has ended well, and where.
func (ss *sessions) served(ctx context.Context, t Task) {
	_, err := ss.modify(ctx, t.SessionID, func(next *cached[session], found bool) (bool, error) {
		s := &next.value
		if s.turn == "" || s.turn == t.TaskID {
			s.NodeID, s.PoolID, s.ModelRef, s.KVWarmth = t.NodeID, t.PoolID, t.model(), true
		}
		if found {
			ss.renew(s)
		}
		return found, nil
	})
	if err != nil {
		ss.log.Warn("could not persist session", "session_id", t.SessionID, "error", err)
	}
}

// turnEnded notes that a turn no longer runs here.
func (ss *sessions) turnEnded(id, taskID string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.find(id); s != nil && s.turn == taskID {
		s.turn = ""
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

// get gives a session that the caller may see.
func (ss *sessions) get(who Who, id string) (Session, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.find(id)
	if s == nil || !who.may(s.Owner) {
		return Session{}, fail(NotFound, "SESSION_NOT_FOUND", "no session of yours has this id, or it has expired")
	}
	return s.Session, nil
}

// forget forgets a session; its tasks go on.
func (ss *sessions) forget(ctx context.Context, who Who, id string) error {
	if _, err := ss.get(who, id); err != nil {
		return err
	}
	return ss.remove(ctx, id)
}
