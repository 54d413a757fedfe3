package poolmanager

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// retryLongest is the longest wait while the orchestrator is away, for the first
	// retryQuickly attempts: it is back within moments after a crash, and the node with it.
	retryLongest = time.Second
	retryQuickly = 40
)

// retry is the wait before the next attempt: short while the orchestrator is away, and
// longer each time when it refuses, as a wrong token stays wrong.
type retry struct {
	failed error // the last attempt's
	quick  int   // attempts in a row while the orchestrator was away
	away   *backoff.ExponentialBackOff
	slow   *backoff.ExponentialBackOff
}

func newRetry(first time.Duration) *retry {
	rising := func(longest time.Duration) *backoff.ExponentialBackOff {
		return &backoff.ExponentialBackOff{InitialInterval: min(first, registerFirst), RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: longest}
	}
	return &retry{away: rising(retryLongest), slow: rising(registerLongest)}
}

// NextBackOff is for backoff.Retry.
func (r *retry) NextBackOff() time.Duration {
	if unavailable(r.failed) {
		if r.quick++; r.quick <= retryQuickly {
			return min(r.away.NextBackOff(), retryLongest)
		}
	}
	return r.slow.NextBackOff()
}

// Reset is for backoff.Retry.
func (r *retry) Reset() {
	r.quick = 0
	r.away.Reset()
	r.slow.Reset()
}

// again is the wait before a heartbeat that has failed so many times in a row is sent
// again, with jitter: half a second to a second, and later the usual one.
func again(failures int) time.Duration {
	longest := retryLongest
	if failures > retryQuickly {
		longest = heartbeatEvery
	}
	return longest/2 + rand.N(longest/2)
}

// unknownNode reports whether the orchestrator has forgotten the node: its 404.
func unknownNode(err error) bool {
	refused, ok := errors.AsType[*nodeapi.StatusError](err)
	return ok && refused.Status == http.StatusNotFound
}

// unavailable reports whether the orchestrator, or what is behind its gateway, is away.
func unavailable(err error) bool {
	refused, ok := errors.AsType[*nodeapi.StatusError](err)
	return !ok && err != nil || ok && refused.Status >= http.StatusInternalServerError
}
