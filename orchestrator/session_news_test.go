package orchestrator

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestARecordOfAnEarlierTurnDoesNotMoveASession places a turn on another node before
// the end of the one before, and its record, have come.
func TestARecordOfAnEarlierTurnDoesNotMoveASession(t *testing.T) {
	b := openStore(t).Bucket(store.Sessions)
	ss := newSessions(b, slog.New(slog.DiscardHandler), time.Now)
	ci := Who{Identity: "ci"}
	at := func(node string, warm bool) {
		t.Helper()
		if s, err := ss.get(ci, "s"); err != nil || s.NodeID != node || s.KVWarmth != warm {
			t.Errorf("got node %q, warm: %t, %v; want %q and %t", s.NodeID, s.KVWarmth, err, node, warm)
		}
	}
	turn := func(id, node string) Task {
		return Task{TaskID: id, SessionID: "s", NodeID: node, PoolID: "p", ModelRef: "m"}
	}
	if err := ss.take(t.Context(), ci, "s", true); err != nil {
		t.Fatal(err)
	}
	ss.placed("s", "one", "a", "p", "m")
	ss.placed("s", "two", "b", "p", "m")
	ss.served(t.Context(), turn("one", "a"))
	ss.turnEnded("s", "one")
	at("b", false)
	e, err := b.Get(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	var record Session
	if err := json.Unmarshal(e.Value, &record); err != nil {
		t.Fatal(err)
	}
	record.NodeID, record.KVWarmth = "a", true
	if e.Value, err = json.Marshal(record); err != nil {
		t.Fatal(err)
	}
	e.Revision++
	ss.observe(e)
	at("b", false)
	ss.turnEnded("s", "two")
	e.Revision++
	ss.observe(e) // nothing runs here: the record is the truth
	at("a", true)
	ss.placed("s", "three", "b", "p", "m")
	at("b", false)
}
