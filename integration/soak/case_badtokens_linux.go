package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	badAddresses = 3000
	badEach      = 15 // more than the ten failures of the default lockout
	badWorkers   = 24
	// validBefore is how long the valid requests are timed without a flood.
	validBefore = 10 * time.Second
)

// caseBadTokens has unknown tokens come from many addresses, more from each than its
// lockout allows, while valid requests come from an address of their own and from those
// that are locked out.
func caseBadTokens(ctx context.Context, e *edge) error {
	stays := func() authmin.Secret { return e.keys.secret("stays") }
	stop := e.clients(ctx, 4, 5*time.Millisecond, "valid, before the flood", stays, true)
	pause(ctx, validBefore)
	stop()
	stop = e.clients(ctx, 4, 5*time.Millisecond, "valid, during the flood", stays, true)
	var next atomic.Int64
	var all sync.WaitGroup
	begin := time.Now()
	for range badWorkers {
		all.Go(func() {
			for i := next.Add(1) - 1; i < badAddresses && ctx.Err() == nil; i = next.Add(1) - 1 {
				client := clientFrom(net.IPv4(127, 20, byte(i/250), byte(1+i%250)))
				for range badEach {
					e.ask(ctx, client, authmin.RandomSecret(), "unknown token", false)
				}
				// Its address is locked out now; a valid token is not.
				e.ask(ctx, client, stays(), "valid, from a locked-out address", true)
				client.CloseIdleConnections()
			}
		})
	}
	all.Wait()
	e.took("the flood", time.Since(begin))
	stop()
	if e.count("unknown token: 429") == 0 {
		e.breaks(ruleValid, "no address was locked out")
	}
	return ctx.Err()
}
