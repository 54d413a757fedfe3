package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	revokedStreams = 10_000
	otherStreams   = 200
	// othersWatched is how long the streams of the other token are watched afterwards.
	othersWatched = 3 * beat
)

// caseRevocation opens 10,000 streams of one token and some of another, revokes the one,
// and takes the time until the last of its streams has ended.
func caseRevocation(ctx context.Context, e *edge) error {
	others, err := e.openAll(ctx, e.keys.secret("stays"), otherStreams)
	if err != nil {
		return err
	}
	defer closeAll(others)
	doomed, err := e.openAll(ctx, e.keys.secret("gone"), revokedStreams)
	if err != nil {
		return err
	}
	defer closeAll(doomed)
	var otherEnds atomic.Int64
	othersDone := readAll(others, func() { otherEnds.Add(1) })
	var mu sync.Mutex
	var ends []time.Time
	doomedDone := readAll(doomed, func() {
		mu.Lock()
		defer mu.Unlock()
		ends = append(ends, time.Now())
	})
	begin := time.Now()
	if err := e.keys.revoke("gone"); err != nil {
		return err
	}
	finished := make(chan struct{})
	go func() { doomedDone.Wait(); close(finished) }() // ends with the streams, which have deadlines
	select {
	case <-finished:
	case <-time.After(streamSilence):
		e.breaks(ruleRevoked, "%d of %d streams go on %v after the revocation", e.serving.Load()-otherStreams, revokedStreams, streamSilence)
		closeAll(doomed)
		<-finished
	}
	slices.SortFunc(ends, time.Time.Compare)
	for i, at := range ends {
		e.add("streams of the revoked token that ended")
		switch i {
		case 0:
			e.took("until the first ended", at.Sub(begin))
		case len(ends) / 2:
			e.took("until half of them had ended", at.Sub(begin))
		case len(ends) - 1:
			e.took("until the last ended", at.Sub(begin))
		}
		if at.Before(begin) {
			e.breaks(ruleValid, "a stream ended before the revocation")
		}
	}
	pause(ctx, othersWatched)
	if n := otherEnds.Load(); n > 0 {
		e.breaks(ruleValid, "%d of %d streams of another token ended", n, otherStreams)
	}
	for range otherStreams - int(otherEnds.Load()) {
		e.add("streams of the other token that go on")
	}
	closeAll(others)
	othersDone.Wait()
	return ctx.Err()
}
