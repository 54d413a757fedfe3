package caddymodule

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

var (
	clientA = netip.MustParseAddr("192.0.2.1")
	clientB = netip.MustParseAddr("192.0.2.2")
	clientC = netip.MustParseAddr("192.0.2.3")
)

func newLimiter() *publicLimiter { return new(publicLimiters).of("edge") }

// acquireNow takes a slot without waiting.
func acquireNow(t *testing.T, limiter *publicLimiter, client netip.Addr, rule publicRule) *publicSlot {
	t.Helper()
	slot, reached := limiter.acquire(t.Context(), client, rule, false)
	if slot == nil {
		t.Fatalf("%v found no slot: %s", client, reached)
	}
	return slot
}

func TestPublicRequestsAreBoundedByClientAndInTotal(t *testing.T) {
	limiter, rule := newLimiter(), publicRule{inflight: 2, total: 3}
	acquireNow(t, limiter, clientA, rule)
	acquireNow(t, limiter, clientA, rule)
	if _, reached := limiter.acquire(t.Context(), clientA, rule, false); reached != limitPublicInflight {
		t.Errorf("a third of one client: reached %q, want public_inflight", reached)
	}
	last := acquireNow(t, limiter, clientB, rule)
	if _, reached := limiter.acquire(t.Context(), clientC, rule, false); reached != limitPublicTotal {
		t.Errorf("a fourth in all: reached %q, want public_total", reached)
	}
	last.release()
	last.release() // a second time gives nothing back
	acquireNow(t, limiter, clientC, rule)
	if _, reached := limiter.acquire(t.Context(), clientB, rule, false); reached != limitPublicTotal {
		t.Errorf("after one left twice: reached %q, want public_total", reached)
	}
}

func TestASlotIsReleasedWhenTheAnswerBeginsAndTheBodyHasEnded(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []func(*publicSlot)
		held  []int // after each step
	}{
		{"the answer after the body", []func(*publicSlot){(*publicSlot).bodyEnds, (*publicSlot).answerBegins, (*publicSlot).release}, []int{1, 0, 0}},
		{"the body after the answer", []func(*publicSlot){(*publicSlot).answerBegins, (*publicSlot).bodyEnds, (*publicSlot).release}, []int{1, 0, 0}},
		{"a request that ends without either", []func(*publicSlot){(*publicSlot).release, (*publicSlot).answerBegins}, []int{0, 0}},
	} {
		limiter := newLimiter()
		slot := acquireNow(t, limiter, clientA, publicRule{inflight: 1, total: 1})
		for i, step := range c.steps {
			step(slot)
			if limiter.total != c.held[i] || limiter.held[clientA] != c.held[i] {
				t.Errorf("%s, step %d: %d slots in all, %v by client, want %d", c.name, i+1, limiter.total, limiter.held, c.held[i])
			}
		}
	}
}

// What waits is called when a slot becomes free, and refused after a second.
func TestAPublicRequestWaitsASecondForASlot(t *testing.T) {
	for _, c := range []struct {
		name   string
		freed  time.Duration // when the slot is given back; 0 for never
		cancel time.Duration // when the client goes away; 0 for never
		want   string
		after  time.Duration
	}{
		{"freed in time", 900 * time.Millisecond, 0, "", 900 * time.Millisecond},
		{"freed too late", 1100 * time.Millisecond, 0, limitPublicInflight, publicWait},
		{"never freed", 0, 0, limitPublicInflight, publicWait},
		{"the client goes away", 0, 300 * time.Millisecond, limitPublicInflight, 300 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limiter, rule := newLimiter(), publicRule{inflight: 1, total: 1}
				first := acquireNow(t, limiter, clientA, rule)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.freed > 0 {
					time.AfterFunc(c.freed, first.release)
				}
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				start := time.Now()
				_, reached := limiter.acquire(ctx, clientA, rule, true)
				if took := time.Since(start); reached != c.want || took != c.after {
					t.Errorf("reached %q after %v, want %q after %v", reached, took, c.want, c.after)
				}
				if len(limiter.queue) != 0 || len(limiter.waiting) != 0 {
					t.Errorf("%d requests and %v still wait", len(limiter.queue), limiter.waiting)
				}
			})
		})
	}
}

func TestTheClientWithTheFewestSlotsIsServedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter, rule := newLimiter(), publicRule{inflight: 8, total: 4}
		var slots []*publicSlot
		for range 4 {
			slots = append(slots, acquireNow(t, limiter, clientA, rule))
		}
		came := make(chan string, 8)
		wait := func(name string, client netip.Addr) {
			go func() {
				if _, reached := limiter.acquire(t.Context(), client, rule, true); reached == "" {
					came <- name
				}
			}()
			synctest.Wait()
		}
		for i := range 3 {
			wait(fmt.Sprintf("A%d", i), clientA)
		}
		wait("B", clientB)
		slots[0].release()
		synctest.Wait()
		if got := <-came; got != "B" {
			t.Errorf("called %s first, want B, which holds nothing", got)
		}
		slots[1].release()
		if got := <-came; got != "A0" {
			t.Errorf("called %s then, want A0, which waits longest", got)
		}
	})
}

func TestThePublicQueueIsBounded(t *testing.T) {
	for _, c := range []struct {
		name    string
		rule    publicRule
		clients int
		want    int // requests that wait
	}{
		{"one client", publicRule{inflight: 1, total: 100}, 1, waitingPerSlot},
		{"many clients", publicRule{inflight: 10, total: 2}, 50, 2 * waitingPerTotal},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limiter := newLimiter()
				for range c.rule.total {
					if _, reached := limiter.acquire(t.Context(), clientA, c.rule, false); reached != "" {
						break
					}
				}
				addr := clientA
				for i := range 200 {
					client := addr
					if i%c.clients != 0 {
						addr = addr.Next()
					}
					go limiter.acquire(t.Context(), client, c.rule, true)
					synctest.Wait()
				}
				if len(limiter.queue) != c.want {
					t.Errorf("%d requests wait, want %d", len(limiter.queue), c.want)
				}
			})
		})
	}
}
