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

// reportDelay is how long a reason that is not a failure has to last before it is
// reported: a normal start passes through several states.
const reportDelay = 2 * time.Second

// errEngineStart is a permanent failure: waiting longer would not help.
var errEngineStart = errors.New("the engine cannot be started")

// waitReporter writes why up is not ready yet: a failure at once, another reason once
// it has lasted for reportDelay, each once, and the current one again every
// readyNotice.
type waitReporter struct {
	to       io.Writer
	log      string // path of the log file with the details
	reason   string
	since    time.Time // when reason was first seen
	reported string    // the last reason that was written
	lastTime time.Time // when it was written
}

// update is called at each poll with the current reason.
func (r *waitReporter) update(now time.Time, reason string, failure bool) {
	if reason != r.reason {
		r.reason, r.since = reason, now
	}
	if r.lastTime.IsZero() {
		r.lastTime = now
	}
	due := now.Sub(r.lastTime) >= readyNotice
	if reason == "" || !due && (reason == r.reported || !failure && now.Sub(r.since) < reportDelay) {
		return
	}
	r.reported, r.lastTime = reason, now
	fmt.Fprintf(r.to, "still waiting: %s (details in %s)\n", reason, r.log)
}

// poolReason asks the pool manager why the pool is not ready; the orchestrator knows
// only that it is not. An error is a permanent failure.
func poolReason(ctx context.Context, pools *nodeapi.Client) (reason string, progress *nodeapi.Progress, failure bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyCall)
	defer cancel()
	list, err := pools.Pools(ctx)
	if err != nil {
		return "", nil, false, nil // the readiness check reports that
	}
	for _, s := range list {
		if s.Ready || s.Loadable {
			continue
		}
		reason, failure = s.LastError, s.State == "failed"
		if failure && strings.HasPrefix(reason, "start: ") {
			return reason, nil, true, fmt.Errorf("%w: %s", errEngineStart, reason)
		}
		if failure && s.NextStart != nil {
			reason += "; it is started again at " + s.NextStart.Local().Format(time.TimeOnly)
		}
		return reason, s.Progress, failure, nil
	}
	return "", nil, false, nil
}
