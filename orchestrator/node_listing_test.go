package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// A replica whose peers do not say which nodes they know starts after one node time-out,
// and not before.
func TestAStartWaitsForNodesForOneTimeOut(t *testing.T) {
	silent := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		list  func(context.Context) error
		limit time.Duration // of the start itself
		want  error
		took  time.Duration
	}{
		"listed":              {func(context.Context) error { return nil }, time.Hour, nil, 0},
		"peers are silent":    {silent, time.Hour, nil, 30 * time.Second},
		"another error":       {func(context.Context) error { return broken }, time.Hour, broken, 0},
		"the start was ended": {silent, time.Second, context.DeadlineExceeded, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ns := &nodes{timeout: 30 * time.Second, log: slog.New(slog.DiscardHandler)}
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				begin := time.Now()
				err := ns.awaitListing(ctx, c.list)
				if took := time.Since(begin); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || took != c.took {
					t.Errorf("got %v after %s, want %v after %s", err, took, c.want, c.took)
				}
			})
		})
	}
}
