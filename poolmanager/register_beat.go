package poolmanager

import (
	"context"
	"errors"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// holdAnswer is how long the orchestrator is asked to hold back the answer to a heartbeat.
// The node waits for it, and so notices a lost orchestrator at once.
const holdAnswer = 9 * time.Second

// heartbeats is the state of one life of a registration.
type heartbeats struct {
	*registration
	held     chan error // of the heartbeat whose answer is held back; nil: there is none
	wait     time.Duration
	last     string // the last error, which was logged
	refusals int    // in a row
}

// beat sends heartbeats until ctx ends (nil), the orchestrator has forgotten
// the node, or the node has another dispatch token. A heartbeat that fails otherwise is sent
// again within a second, or later when it is refused again. After the first one, which is
// sent after first, one is always waiting for its answer; a changed pool is told by others
// meanwhile.
func (r *registration) beat(ctx context.Context, first time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	b := &heartbeats{registration: r}
	defer func() {
		cancel()
		if b.held != nil {
			<-b.held
		}
	}()
	timer := time.NewTimer(first) // to the next heartbeat, when none waits
	defer timer.Stop()
	var settled <-chan time.Time // when to tell a change
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-r.changed:
			if settled == nil {
				settled = time.After(changePause)
			}
			continue
		case <-settled:
			settled = nil
			if err = b.tell(ctx); unavailable(err) {
				settled = time.After(again(0))
			}
		case <-timer.C:
			err = b.hold(ctx)
		case err = <-b.held:
			b.held = nil
			timer.Reset(b.take(ctx, err))
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errNewDispatchToken) || unknownNode(err) {
			r.log.Info("registering again", "reason", err)
			return err
		}
	}
}

// request is what a heartbeat says now.
func (b *heartbeats) request() nodeapi.HeartbeatRequest {
	return nodeapi.HeartbeatRequest{Timestamp: time.Now().UTC(), Pools: b.pools()}
}

func (b *heartbeats) newToken() bool { return b.dispatch != nil && !sameSecret(b.dispatch(), b.told) }

// hold sends a heartbeat whose answer comes later.
func (b *heartbeats) hold(ctx context.Context) error {
	if b.newToken() {
		return errNewDispatchToken
	}
	request, held := b.request(), make(chan error, 1)
	b.held = held
	go func() {
		answer, err := b.orchestrator.HoldHeartbeat(ctx, b.nodeID, request, holdAnswer)
		if err == nil {
			b.wait = period(answer.NextHeartbeatMS) // read after held
		}
		held <- err
	}()
	return nil
}

// tell sends a heartbeat and waits for its answer.
func (b *heartbeats) tell(ctx context.Context) error {
	if b.newToken() {
		return errNewDispatchToken
	}
	_, err := b.orchestrator.Heartbeat(ctx, b.nodeID, b.request())
	b.note(ctx, err)
	return err
}

// take gives the time to the next heartbeat after the answer to one that was held back.
func (b *heartbeats) take(ctx context.Context, err error) time.Duration {
	b.note(ctx, err)
	if err != nil {
		return again(b.refusals)
	}
	return b.wait
}

// note logs each new error.
func (b *heartbeats) note(ctx context.Context, err error) {
	if err == nil {
		b.refusals, b.last = 0, ""
		return
	}
	if b.refusals++; unavailable(err) {
		b.refusals = 0
	}
	if err.Error() != b.last && ctx.Err() == nil && !unknownNode(err) {
		b.last = err.Error()
		b.log.Warn("heartbeat failed", "error", err)
	}
}
