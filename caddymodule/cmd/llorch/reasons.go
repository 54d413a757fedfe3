package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// settled is how long something that is no failure has to keep up from being ready
// before it is worth a line: a start goes through several such moments.
const settled = 2 * time.Second

// errNeverReady says that waiting would not help.
var errNeverReady = errors.New("the engine cannot be started")

// reasons tells a person what keeps up from being ready: a failure at once, anything
// else when it stays, each once, and every readyNotice that it still waits.
type reasons struct {
	to     io.Writer
	log    string // where the details are
	reason string
	since  time.Time
	told   string
	spoke  time.Time
}

// note is told at each poll what the reason is.
func (r *reasons) note(now time.Time, reason string, failure bool) {
	if reason != r.reason {
		r.reason, r.since = reason, now
	}
	if r.spoke.IsZero() {
		r.spoke = now
	}
	again := now.Sub(r.spoke) >= readyNotice
	if reason == "" || !again && (reason == r.told || !failure && now.Sub(r.since) < settled) {
		return
	}
	r.told, r.spoke = reason, now
	fmt.Fprintf(r.to, "still waiting: %s (details in %s)\n", reason, r.log)
}

// poolReason is why the pool is not ready, from the pool manager itself: the
// orchestrator knows only that it is not. never says that waiting would not help.
func poolReason(ctx context.Context, pools *nodeapi.Client) (reason string, failure bool, never error) {
	ctx, cancel := context.WithTimeout(ctx, readyCall)
	defer cancel()
	list, err := pools.Pools(ctx)
	if err != nil {
		return "", false, nil // the readiness check says so itself
	}
	for _, s := range list {
		if s.Ready || s.Loadable {
			continue
		}
		reason, failure = s.LastError, s.State == "failed"
		if failure && strings.HasPrefix(reason, "start: ") {
			return reason, true, fmt.Errorf("%w: %s", errNeverReady, reason)
		}
		if failure && s.NextStart != nil {
			reason += "; it is started again at " + s.NextStart.Local().Format(time.TimeOnly)
		}
		return reason, failure, nil
	}
	return "", false, nil
}
