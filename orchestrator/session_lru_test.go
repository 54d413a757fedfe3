package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/llorch/gateway/orchestrator/store"
)

func openStore(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func TestASessionExpiresTenMinutesAfterItsLastTurn(t *testing.T) {
	now := time.Unix(1000, 0)
	ss := newSessions(openStore(t).Bucket(store.Sessions), slog.New(slog.DiscardHandler), func() time.Time { return now })
	ci := Who{Identity: "ci"}
	for range 2 {
		if err := ss.take(t.Context(), ci, "s", true); err != nil {
			t.Fatal(err)
		}
		now = now.Add(10*time.Minute - 1)
	}
	if _, err := ss.get(ci, "s"); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	now = now.Add(1)
	if _, err := ss.get(ci, "s"); err == nil || len(ss.byID)+ss.used.Len()+len(ss.each) != 0 {
		t.Errorf("at its end: got %v and %v, want nothing left", err, ss.byID)
	}
}

// TestAnExpiredSessionGoesBeforeALiveOne has a turn given back, which is no use of
// the session: it expires when it would have, and is not what others make room for.
func TestAnExpiredSessionGoesBeforeALiveOne(t *testing.T) {
	now := time.Unix(1000, 0)
	ss := newSessions(openStore(t).Bucket(store.Sessions), slog.New(slog.DiscardHandler), func() time.Time { return now })
	ci := Who{Identity: "ci"}
	take := func(id string) {
		t.Helper()
		if err := ss.take(t.Context(), ci, id, false); err != nil {
			t.Fatal(err)
		}
	}
	take("old")
	now = now.Add(5 * time.Minute)
	take("live")
	ss.giveBack(t.Context(), "old")
	news := func(id string, left time.Duration) { // of another replica's session
		value, err := json.Marshal(Session{SessionID: id, Owner: "ci", ExpiresAt: now.Add(left)})
		if err != nil {
			t.Fatal(err)
		}
		ss.observe(store.Entry{Key: id, Value: value, Revision: 1})
	}
	news("short", time.Minute)
	now = now.Add(time.Minute)
	if _, err := ss.get(ci, "short"); err == nil {
		t.Error("an expired session of another replica is still there")
	}
	now = now.Add(4*time.Minute - 1)
	if _, err := ss.get(ci, "old"); err != nil {
		t.Errorf("before its end: %v", err)
	}
	for i := range maxSessionsEach - 2 {
		take(fmt.Sprint("s", i))
	}
	now = now.Add(1)
	news("one more", time.Minute)
	if _, err := ss.get(ci, "live"); err != nil {
		t.Errorf("a live session was pushed out: %v", err)
	}
	if _, err := ss.get(ci, "old"); err == nil {
		t.Error("an expired session is still there")
	}
}

func TestSessionsAreBoundedForEachAndForAll(t *testing.T) {
	b := openStore(t).Bucket(store.Sessions)
	ss := newSessions(b, slog.New(slog.DiscardHandler), time.Now)
	take := func(identity, id string, named bool) {
		t.Helper()
		if err := ss.take(t.Context(), Who{Identity: identity}, id, named); err != nil {
			t.Fatal(err)
		}
	}
	take("ci", "first", false)
	take("eve", "first of eve", false)
	take("eve", "named", true)
	for i := range maxSessionsEach {
		take("eve", fmt.Sprint("e", i), false)
	}
	if _, err := b.Get(t.Context(), "named"); !errors.Is(err, store.ErrNotFound) || ss.each["eve"] != maxSessionsEach-1 {
		t.Errorf("evicted: got %v and %d sessions, want its record gone and %d, as ci has one", err, ss.each["eve"], maxSessionsEach-1)
	}
	if _, err := ss.get(Who{Identity: "ci"}, "first"); err != nil {
		t.Errorf("another identity's session was pushed out: %v", err)
	}
	for i := range maxSessions {
		take(fmt.Sprint("i", i), fmt.Sprint("s", i), false)
	}
	if len(ss.byID) != maxSessions || ss.used.Len() != maxSessions {
		t.Errorf("got %d sessions, want %d", len(ss.byID), maxSessions)
	}
}

// TestASessionThatOurClockHasEndedIsBegunAnew has the store keep a record for
// longer than this replica, whose clock is fast, believes.
func TestASessionThatOurClockHasEndedIsBegunAnew(t *testing.T) {
	b := openStore(t).Bucket(store.Sessions)
	other := newSessions(b, slog.New(slog.DiscardHandler), time.Now)
	fast := newSessions(b, slog.New(slog.DiscardHandler), func() time.Time { return time.Now().Add(store.SessionTTL + time.Minute) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 2 {
		if err := other.take(ctx, Who{Identity: "ci"}, "s", true); err != nil {
			t.Fatal(err)
		}
	}
	if err := fast.take(ctx, Who{Identity: "ci"}, "s", true); err != nil {
		t.Fatal(err)
	}
	if s, err := fast.get(Who{Identity: "ci"}, "s"); err != nil || s.Turns != 1 {
		t.Errorf("got %d turns, %v, want a new session", s.Turns, err)
	}
}

// TestASessionThatOnlyTheStoreHasCanBeDeleted asks a replica that has not yet
// heard of it.
func TestASessionThatOnlyTheStoreHasCanBeDeleted(t *testing.T) {
	view, _, err := openStore(t).View(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { view.Close() })
	o := newWith(t, Config{Store: view})
	id := uuid.NewString()
	if err := o.sessions.take(t.Context(), ci, id, true); err != nil {
		t.Fatal(err)
	}
	o.sessions.mu.Lock()
	o.sessions.drop(id)
	o.sessions.mu.Unlock()
	if err := o.RemoveSession(t.Context(), Who{Identity: "eve"}, id); err == nil {
		t.Error("another identity removed it")
	}
	o.sessions.mu.Lock()
	o.sessions.drop(id)
	o.sessions.mu.Unlock()
	if err := o.RemoveSession(t.Context(), ci, id); err != nil {
		t.Errorf("got %v, want it removed", err)
	}
	if _, err := view.Bucket(store.Sessions).Get(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("on disk: got %v, want ErrNotFound", err)
	}
}
