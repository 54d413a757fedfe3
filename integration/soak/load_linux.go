package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// maxCalls bounds the calls under way. A fault of 45 s at the highest mild rate needs a
// few hundred; one more is left out, and counted.
const maxCalls = 512

// mix is the load: each kind of call, and how often among all.
var mix = []struct {
	weight int
	call   func(*soakRun, context.Context)
}{
	{24, (*soakRun).task},
	{18, (*soakRun).chat},
	{18, (*soakRun).stream},
	{14, (*soakRun).embeddings},
	{20, (*soakRun).stranger},
	{1, (*soakRun).slowReader},
}

func (s *soakRun) chooseCall() func(*soakRun, context.Context) {
	sum := 0
	for _, m := range mix {
		sum += m.weight
	}
	n := rand.IntN(sum)
	for _, m := range mix {
		if n -= m.weight; n < 0 {
			return m.call
		}
	}
	return mix[0].call
}

// load begins calls at the given rate until ctx ends. Those under way go on, with the
// context of work, until they are done.
func (s *soakRun) load(ctx, work context.Context, rate float64) {
	var all sync.WaitGroup
	defer all.Wait()
	places := make(chan struct{}, maxCalls)
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		select {
		case places <- struct{}{}:
		default:
			s.add("calls left out: too many under way")
			continue
		}
		call := s.chooseCall()
		all.Go(func() {
			defer func() { <-places }()
			call(s, work)
		})
	}
}

// regularly calls f now and then until ctx ends.
func regularly(ctx context.Context, every time.Duration, f func(turn int)) {
	for turn := 0; pause(ctx, every); turn++ {
		f(turn)
	}
}

// operate does what operators do, and what hostile clients do, until ctx ends.
func (s *soakRun) operate(ctx, work context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		regularly(ctx, reloadEvery/hosts, func(turn int) { s.reload(work, turn%hosts, turn) })
	})
	all.Go(func() { regularly(ctx, revokeEvery, func(turn int) { s.revocation(work, turn) }) })
	all.Go(func() { regularly(ctx, floodEvery, func(int) { s.flood(work) }) })
	all.Go(func() {
		regularly(ctx, time.Second, func(int) {
			if kept := s.ended.all(); len(kept) > 0 {
				s.recheck(work, rand.IntN(hosts), kept[rand.IntN(len(kept))])
			}
		})
	})
	for range slowClients {
		all.Go(func() {
			for ctx.Err() == nil {
				s.slowClient(ctx)
				pause(ctx, slowPause)
			}
		})
	}
	for i := range witnesses {
		all.Go(func() { s.witness(ctx, i) })
	}
}
