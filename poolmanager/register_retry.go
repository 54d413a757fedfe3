package poolmanager

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// retryLongest is the longest wait while the orchestrator is away, for however long it is
// away: the nodes are back within 2 s of its return.
const retryLongest = time.Second

// retry is the wait before the next attempt: short while the orchestrator is away, and
// longer each time when it refuses, as a wrong token stays wrong.
type retry struct {
	failed error // the last attempt's
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
		return min(r.away.NextBackOff(), retryLongest)
	}
	return r.slow.NextBackOff()
}

// Reset is for backoff.Retry.
func (r *retry) Reset() {
	r.away.Reset()
	r.slow.Reset()
}

// again is the wait before a heartbeat that has failed is sent again, with jitter: half a
// second to a second, and longer after refusals in a row.
func again(refusals int) time.Duration {
	longest := max(rising(refusals), retryLongest)
	return longest/2 + rand.N(longest/2)
}

// rising is a wait that doubles from 0, 1 s and 2 s to heartbeatEvery. After a registration
// the first heartbeat is sent at once; registrations that are forgotten within heartbeatEvery
// each, so many in a row, make it wait, so that they do not follow each other without a pause.
func rising(times int) time.Duration {
	if times == 0 {
		return 0
	}
	return min(retryLongest<<min(times-1, 10), heartbeatEvery)
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
