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

func newDoor() *publicDoor { return new(doorTable).of("edge") }

// enterNow takes a place without waiting.
func enterNow(t *testing.T, door *publicDoor, client netip.Addr, rule publicRule) *publicPlace {
	t.Helper()
	place, reached := door.enter(t.Context(), client, rule, false)
	if place == nil {
		t.Fatalf("%v found no place: %s", client, reached)
	}
	return place
}

func TestStrangersAreBoundedByClientAndInAll(t *testing.T) {
	door, rule := newDoor(), publicRule{inflight: 2, total: 3}
	enterNow(t, door, clientA, rule)
	enterNow(t, door, clientA, rule)
	if _, reached := door.enter(t.Context(), clientA, rule, false); reached != limitPublicInflight {
		t.Errorf("a third of one client: reached %q, want public_inflight", reached)
	}
	last := enterNow(t, door, clientB, rule)
	if _, reached := door.enter(t.Context(), clientC, rule, false); reached != limitPublicTotal {
		t.Errorf("a fourth in all: reached %q, want public_total", reached)
	}
	last.leave()
	last.leave() // a second time gives nothing back
	enterNow(t, door, clientC, rule)
	if _, reached := door.enter(t.Context(), clientB, rule, false); reached != limitPublicTotal {
		t.Errorf("after one left twice: reached %q, want public_total", reached)
	}
}

func TestAPlaceIsGivenBackWhenTheAnswerBeginsAndTheBodyHasEnded(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []func(*publicPlace)
		held  []int // after each step
	}{
		{"the answer after the body", []func(*publicPlace){(*publicPlace).bodyEnds, (*publicPlace).answerBegins, (*publicPlace).leave}, []int{1, 0, 0}},
		{"the body after the answer", []func(*publicPlace){(*publicPlace).answerBegins, (*publicPlace).bodyEnds, (*publicPlace).leave}, []int{1, 0, 0}},
		{"a request that ends without either", []func(*publicPlace){(*publicPlace).leave, (*publicPlace).answerBegins}, []int{0, 0}},
	} {
		door := newDoor()
		place := enterNow(t, door, clientA, publicRule{inflight: 1, total: 1})
		for i, step := range c.steps {
			step(place)
			if door.total != c.held[i] || door.held[clientA] != c.held[i] {
				t.Errorf("%s, step %d: %d places in all, %v by client, want %d", c.name, i+1, door.total, door.held, c.held[i])
			}
		}
	}
}

// What waits is called when a place becomes free, and refused after a second.
func TestAStrangerWaitsASecondForAPlace(t *testing.T) {
	for _, c := range []struct {
		name   string
		freed  time.Duration // when the place is given back; 0 for never
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
				door, rule := newDoor(), publicRule{inflight: 1, total: 1}
				first := enterNow(t, door, clientA, rule)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.freed > 0 {
					time.AfterFunc(c.freed, first.leave)
				}
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				start := time.Now()
				_, reached := door.enter(ctx, clientA, rule, true)
				if took := time.Since(start); reached != c.want || took != c.after {
					t.Errorf("reached %q after %v, want %q after %v", reached, took, c.want, c.after)
				}
				if len(door.queue) != 0 || len(door.waiting) != 0 {
					t.Errorf("%d requests and %v still wait", len(door.queue), door.waiting)
				}
			})
		})
	}
}

func TestTheClientWithTheFewestPlacesIsCalledFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door, rule := newDoor(), publicRule{inflight: 8, total: 4}
		var places []*publicPlace
		for range 4 {
			places = append(places, enterNow(t, door, clientA, rule))
		}
		came := make(chan string, 8)
		wait := func(name string, client netip.Addr) {
			go func() {
				if _, reached := door.enter(t.Context(), client, rule, true); reached == "" {
					came <- name
				}
			}()
			synctest.Wait()
		}
		for i := range 3 {
			wait(fmt.Sprintf("A%d", i), clientA)
		}
		wait("B", clientB)
		places[0].leave()
		synctest.Wait()
		if got := <-came; got != "B" {
			t.Errorf("called %s first, want B, which holds nothing", got)
		}
		places[1].leave()
		if got := <-came; got != "A0" {
			t.Errorf("called %s then, want A0, which waits longest", got)
		}
	})
}

func TestTheQueueOfStrangersIsBounded(t *testing.T) {
	for _, c := range []struct {
		name    string
		rule    publicRule
		clients int
		want    int // requests that wait
	}{
		{"one client", publicRule{inflight: 1, total: 100}, 1, waitingPerPlace},
		{"many clients", publicRule{inflight: 10, total: 2}, 50, 2 * waitingPerTotal},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				door := newDoor()
				for range c.rule.total {
					if _, reached := door.enter(t.Context(), clientA, c.rule, false); reached != "" {
						break
					}
				}
				addr := clientA
				for i := range 200 {
					client := addr
					if i%c.clients != 0 {
						addr = addr.Next()
					}
					go door.enter(t.Context(), client, c.rule, true)
					synctest.Wait()
				}
				if len(door.queue) != c.want {
					t.Errorf("%d requests wait, want %d", len(door.queue), c.want)
				}
			})
		})
	}
}
