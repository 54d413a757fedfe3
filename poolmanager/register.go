package poolmanager

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
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
	for {
		wait, err := r.registerUntilDone(ctx)
		if err != nil || r.beat(ctx, wait) == nil {
			return // ctx ended
		}
	}
}

// registerUntilDone retries until it succeeds, with jitter, and logs each new error.
func (r *registration) registerUntilDone(ctx context.Context) (time.Duration, error) {
	policy := &backoff.ExponentialBackOff{
		InitialInterval: min(r.first, registerFirst), RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: registerLongest,
	}
	last := ""
	answer, err := backoff.Retry(ctx, func() (nodeapi.RegisterResponse, error) {
		request := r.request()
		r.told = authmin.NewSecret(request.DispatchToken)
		answer, err := r.orchestrator.Register(ctx, request)
		if err != nil && err.Error() != last && ctx.Err() == nil {
			last = err.Error()
			r.log.Warn("could not register with the orchestrator; retrying", "error", err)
		}
		return answer, err
	}, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return 0, err
	}
	r.log.Info("registered with the orchestrator", "node_id", r.nodeID)
	return period(answer.NextHeartbeatMS), nil
}

// beat sends heartbeats until ctx ends (nil), the orchestrator has forgotten
// the node, or the node has another dispatch token. A heartbeat that fails otherwise is tried again at the next one.
func (r *registration) beat(ctx context.Context, wait time.Duration) error {
	last := ""
	for {
		if !r.pause(ctx, wait) {
			return nil
		}
		if r.dispatch != nil && !sameSecret(r.dispatch(), r.told) {
			r.log.Info("registering again: the dispatch token has changed")
			return errNewDispatchToken
		}
		answer, err := r.orchestrator.Heartbeat(ctx, r.nodeID, nodeapi.HeartbeatRequest{Timestamp: time.Now().UTC(), Pools: r.pools()})
		switch {
		case ctx.Err() != nil:
			return nil
		case unknownNode(err):
			r.log.Warn("could not register again; retrying", "error", err)
			return err
		case err != nil && err.Error() != last:
			r.log.Warn("heartbeat failed", "error", err)
		case err == nil:
			wait = period(answer.NextHeartbeatMS)
		}
		if last = ""; err != nil {
			last = err.Error()
		}
	}
}

// pause waits for the next heartbeat, or shortly after a change.
func (r *registration) pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-r.changed:
	}
	timer.Reset(changePause)
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	}
	select { // what changed during the pause is in this heartbeat
	case <-r.changed:
	default:
	}
	return true
}

func (r *registration) deregister() {
	ctx, cancel := context.WithTimeout(context.Background(), deregisterLimit)
	defer cancel()
	if err := r.orchestrator.Deregister(ctx, r.nodeID); err != nil {
		r.log.Warn("could not deregister from the orchestrator", "error", err)
	}
}

// unknownNode reports whether the orchestrator has forgotten the node: its 404.
func unknownNode(err error) bool {
	refused, ok := errors.AsType[*nodeapi.StatusError](err)
	return ok && refused.Status == http.StatusNotFound
}

// period is the wait that the orchestrator asked for, within bounds.
func period(ms int64) time.Duration {
	if ms <= 0 {
		return heartbeatEvery
	}
	return min(max(time.Duration(min(ms, heartbeatLongest.Milliseconds()))*time.Millisecond, heartbeatShortest), heartbeatLongest)
}
