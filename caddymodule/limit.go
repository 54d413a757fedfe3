package caddymodule

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// maxIdentities bounds the identities whose rate is remembered: far more than
// are active at once. Forgetting one gives it a full burst again.
const maxIdentities = 1 << 16

// limitRule has the limits of a guard for each identity; zero fields do not limit.
type limitRule struct {
	requests int           // in a window
	window   time.Duration //
	burst    int           // at once
	inflight int           // in progress, streams included
}

// limitsOf validates a guard's settings of limits.
func limitsOf(limit *RateLimit, inflight int) (limitRule, error) {
	if inflight < 0 {
		return limitRule{}, errors.New("inflight: want a number of requests above 0")
	}
	rule := limitRule{inflight: inflight}
	if limit == nil {
		return rule, nil
	}
	if limit.Requests <= 0 || limit.Window <= 0 || limit.Burst < 0 {
		return limitRule{}, errors.New("limit: want REQUESTS and WINDOW above 0, such as `limit 600 1m`")
	}
	rule.requests, rule.window, rule.burst = limit.Requests, time.Duration(limit.Window), limit.Burst
	if rule.burst == 0 {
		rule.burst = limit.Requests
	}
	return rule, nil
}

// limitKey is one identity at one guard, by the name that [guardList.add] gives it.
type limitKey struct{ guard, identity string }

// limitTable holds the use of limits by identities. Rates are in a bounded table. Counts
// of requests in progress are in a map without zero counts, so that the number of
// requests bounds it.
type limitTable struct {
	mu       sync.Mutex
	rates    *simplelru.LRU[limitKey, *rate.Limiter]
	inflight map[limitKey]int
}

func newLimitTable(capacity int) (*limitTable, error) {
	rates, err := simplelru.NewLRU[limitKey, *rate.Limiter](capacity, nil)
	if err != nil {
		return nil, err
	}
	return &limitTable{rates: rates, inflight: map[limitKey]int{}}, nil
}

// The values of the label `limit`.
const (
	limitRate     = "rate"
	limitInflight = "inflight"
)

// begin counts the start of a request of an identity. It returns the limit that was
// reached and when to retry, or end, which must be called once.
func (t *limitTable) begin(key limitKey, rule limitRule, now time.Time) (end func(), reached string, retry time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if rule.inflight > 0 && t.inflight[key] >= rule.inflight {
		return nil, limitInflight, time.Second
	}
	if rule.requests > 0 {
		if wait := t.spend(key, rule, now); wait > 0 {
			return nil, limitRate, wait
		}
	}
	if rule.inflight == 0 {
		return func() {}, "", 0
	}
	t.inflight[key]++
	return func() { t.end(key) }, "", 0
}

// spend takes one request from an identity's rate, or returns how long to wait for one.
func (t *limitTable) spend(key limitKey, rule limitRule, now time.Time) time.Duration {
	limit := rate.Limit(float64(rule.requests) / rule.window.Seconds())
	l, ok := t.rates.Get(key)
	if !ok {
		l = rate.NewLimiter(limit, rule.burst)
		t.rates.Add(key, l)
	}
	if l.Limit() != limit || l.Burst() != rule.burst { // a reload changed the rule
		l.SetLimitAt(now, limit)
		l.SetBurstAt(now, rule.burst)
	}
	reservation := l.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// left is how many requests an identity may make at once now, by a rule with a rate.
func (t *limitTable) left(key limitKey, rule limitRule, now time.Time) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l, ok := t.rates.Peek(key); ok {
		return int64(max(0, l.TokensAt(now)))
	}
	return int64(rule.burst)
}

func (t *limitTable) end(key limitKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inflight[key]--; t.inflight[key] <= 0 {
		delete(t.inflight, key)
	}
}
