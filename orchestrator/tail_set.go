package orchestrator

import (
	"log/slog"
	"sync"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// tails are the tails of this replica's tasks: those that it writes, and those that
// repeat what another replica writes. Each belongs to its task's entry.
type tails struct {
	events    *store.EventLog
	seals     *sealer
	shared    bool // other replicas write events too
	lifecycle *lifecycle
	active    func() int64 // dispatches under way here
	log       *slog.Logger
	now       func() time.Time

	fed sync.Map // of *taskEntry by id: whose tails are fed from elsewhere

	mu            mutex[lockEnded]
	ended         []*taskEntry  // ended here, with a tail to release
	releaseSignal chan struct{} // capacity 1: there are some
}

func newTails(s *store.Store, seals *sealer, l *lifecycle, active func() int64, log *slog.Logger, now func() time.Time) *tails {
	return &tails{events: s.Events(), seals: seals, shared: s.Shared(), lifecycle: l, active: active, log: log, now: now, releaseSignal: make(chan struct{}, 1)}
}
