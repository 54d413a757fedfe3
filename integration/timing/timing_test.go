package timing_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// longVariable asks for the long form.
const longVariable = "LLORCH_LONG_TESTS"

// How much is measured: requests of each class in a batch, rounds at least and
// at most. The measuring goes on until the control is caught.
const (
	batchSize             = 8
	shortLeast, shortMost = 100, 1500
	longLeast, longMost   = 3000, 10_000
	attempts              = 3 // a difference that is real is there each time
)

// What counts as a difference: so many standard errors, and so much time. What
// is less than half a microsecond cannot be seen through any network, and is
// less than one more byte on the wire can cost.
const (
	caughtAt   = 8.0
	suspicious = 5.0
	tolerated  = 500 * time.Nanosecond
)

// class is a token that is asked with, and the status that it must get.
type class struct {
	name, token string
	status      int
}

var classes = []class{
	{"unknown", "llorch-timing-0123456789abcdef0123456789-nokey", 401},
	{"unknown, again", "llorch-timing-0123456789abcdef0123456789-NOKEY", 401},
	{"wrong first byte", "X" + tokenOf(keys / 2)[1:], 401},
	{"wrong last byte", tokenOf(keys / 2)[:len(tokenOf(0))-1] + "X", 401},
	{"shorter", tokenOf(keys / 2)[:len(tokenOf(0))-1], 401},
	{"longer", tokenOf(keys/2) + "0", 401},
	{"expired", tokenExpired, 401},
	{"revoked", tokenRevoked, 401},
	{"first key", tokenOf(0), 200},
	{"last key", tokenOf(keys - 1), 200},
}

// pairs are the classes that must not differ in time.
var pairs = [][2]string{
	{"unknown", "unknown, again"},
	{"wrong first byte", "wrong last byte"},
	{"unknown", "wrong first byte"},
	{"unknown", "wrong last byte"},
	{"unknown", "shorter"},
	{"unknown", "longer"},
	{"unknown", "expired"},
	{"unknown", "revoked"},
	{"expired", "revoked"},
	{"first key", "last key"},
}

// controls are the pairs that an early exit gives away.
var controls = [][2]string{{"wrong first byte", "wrong last byte"}, {"first key", "last key"}}

// measured is what was taken of one server.
type measured struct {
	client *client
	strict bool // the statuses must be those of the classes
	taken  map[string]series
}

// round measures every class of every server once, in an order of its own.
func round(t *testing.T, servers ...*measured) {
	t.Helper()
	for _, s := range servers {
		batches := map[string][]time.Duration{}
		for range batchSize {
			for _, i := range rand.Perm(len(classes)) {
				c := classes[i]
				status, took, err := s.client.ask(c.token)
				if err != nil {
					t.Fatal(err)
				}
				if s.strict && status != c.status {
					t.Fatalf("%s: status %d, want %d", c.name, status, c.status)
				}
				batches[c.name] = append(batches[c.name], took)
			}
		}
		for name, batch := range batches {
			s.taken[name] = append(s.taken[name], low(batch))
		}
	}
}

func caught(s *measured) bool {
	for _, pair := range controls {
		if d, score := compare(s.taken[pair[0]], s.taken[pair[1]]); score < caughtAt || d < tolerated {
			return false
		}
	}
	return true
}

// TestTiming measures the gateway and a server that gives itself away, in turns
// and as often, until that one is caught.
func TestTiming(t *testing.T) {
	gate, early := startGateway(t), startEarlyExit(t)
	least, most := shortLeast, shortMost
	if os.Getenv(longVariable) != "" {
		least, most = longLeast, longMost
	}
	doubts := map[[2]string]int{} // how often, with the sign
	for attempt := range attempts {
		g := &measured{gate, true, map[string]series{}}
		control := &measured{early, false, map[string]series{}}
		rounds := 0
		for rounds < most && (rounds < least || !caught(control)) {
			round(t, g, control)
			rounds++
		}
		if !caught(control) {
			t.Fatalf("an early exit is not noticed in %d rounds; this machine is too loud to measure on", rounds)
		}
		for _, pair := range controls {
			d, score := compare(control.taken[pair[0]], control.taken[pair[1]])
			t.Logf("control: %s, %s: %v, t = %.1f", pair[0], pair[1], d, score)
			t.Attr("control", fmt.Sprintf("caught: %s and %s differ by %v, t = %.1f", pair[0], pair[1], d, score))
		}
		if doubted(t, g, doubts, rounds) == 0 {
			return
		}
		t.Logf("attempt %d leaves doubts", attempt+1)
	}
	for pair, times := range doubts {
		if times == attempts || times == -attempts {
			t.Errorf("%s and %s can be told apart by the clock", pair[0], pair[1])
		}
	}
}

// doubted counts the pairs that differ in one attempt.
func doubted(t *testing.T, g *measured, doubts map[[2]string]int, rounds int) (n int) {
	t.Helper()
	for _, pair := range pairs {
		d, score := compare(g.taken[pair[0]], g.taken[pair[1]])
		t.Logf("gateway, %d rounds of %d: %s, %s: %v, t = %.1f", rounds, batchSize, pair[0], pair[1], d, score)
		if math.Abs(score) < suspicious || d.Abs() < tolerated {
			continue
		}
		n++
		if d > 0 {
			doubts[pair]++
		} else {
			doubts[pair]--
		}
	}
	return n
}
