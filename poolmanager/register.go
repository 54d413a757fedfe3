package poolmanager

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// heartbeatEvery is the default; the orchestrator may say otherwise,
	// within these bounds.
	heartbeatEvery    = 10 * time.Second
	heartbeatShortest = 100 * time.Millisecond
	heartbeatLongest  = time.Minute
	// changePause bounds how often a changed pool causes an early heartbeat.
	changePause = 200 * time.Millisecond
	// registerFirst is the first wait after a failed attempt: short, because a
	// gateway that starts together with this program answers within moments.
	registerFirst = 100 * time.Millisecond
	// registerLongest is the longest wait between two attempts, which go on for ever.
	registerLongest = 30 * time.Second
	// deregisterLimit keeps a stop short when the orchestrator is gone.
	deregisterLimit = time.Second
)

// errNewDispatchToken ends the heartbeats: a registration sends the new one.
var errNewDispatchToken = errors.New("the dispatch token has changed")

// registration keeps one node known to one orchestrator.
type registration struct {
	orchestrator *nodeapi.Orchestrator

	nodeID  string
	request func() nodeapi.RegisterRequest
	pools   func() []nodeapi.Pool
	log     *slog.Logger
	changed chan struct{} // a pool or a token changed: send a heartbeat soon
	// dispatch is the token that the orchestrator must send now, and told the one in the
	// last registration; nil: it does not change.
	dispatch func() authmin.Secret
	told     authmin.Secret
	first    time.Duration // the first wait between attempts
}

// run registers and keeps the node known until ctx ends; then it deregisters,
// also when a registration was under way: it may have arrived.
func (r *registration) run(ctx context.Context) {
	defer r.orchestrator.CloseIdle()
	defer r.deregister()
	for short := 0; ; short++ {
		if r.registerUntilDone(ctx) != nil {
			return // ctx ended
		}
		registered := time.Now()
		if r.beat(ctx, rising(short)) == nil {
			return
		}
		if time.Since(registered) >= heartbeatEvery {
			short = -1 // 0 in the next round
		}
	}
}

// registerUntilDone retries until it succeeds, with jitter, and logs each new error.
func (r *registration) registerUntilDone(ctx context.Context) error {
	last, policy := "", newRetry(r.first)
	_, err := backoff.Retry(ctx, func() (nodeapi.RegisterResponse, error) {
		request := r.request()
		r.told = authmin.NewSecret(request.DispatchToken)
		answer, err := r.orchestrator.Register(ctx, request)
		policy.failed = err
		if err != nil && err.Error() != last && ctx.Err() == nil {
			last = err.Error()
			r.log.Warn("could not register with the orchestrator; retrying", "error", err)
		}
		return answer, err
	}, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return err
	}
	r.log.Info("registered with the orchestrator", "node_id", r.nodeID)
	return nil
}

func (r *registration) deregister() {
	ctx, cancel := context.WithTimeout(context.Background(), deregisterLimit)
	defer cancel()
	if err := r.orchestrator.Deregister(ctx, r.nodeID); err != nil {
		r.log.Warn("could not deregister from the orchestrator", "error", err)
	}
}

// period is the wait that the orchestrator asked for, within bounds.
func period(ms int64) time.Duration {
	if ms <= 0 {
		return heartbeatEvery
	}
	return min(max(time.Duration(min(ms, heartbeatLongest.Milliseconds()))*time.Millisecond, heartbeatShortest), heartbeatLongest)
}
