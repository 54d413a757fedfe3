package orchestrator_test

import (
	crand "crypto/rand"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator/httpapi"
)

// The question is whether an attacker who measures learns how much of a guess
// was right. Both classes are measured in short batches, interleaved in random
// order. Each block of batches gives one number, the difference of the two lower
// quartiles: a noisy machine disturbs both, and mostly the slow batches. The
// verdict is the t of these differences, so no absolute time is asserted; a noisy
// machine needs more blocks for it, not another limit. Beside it, the difference
// may be a tenth of what a call takes and no more, whatever its t.
const (
	timingRounds = 40  // batches a class and block; the short form takes half
	timingBatch  = 4   // calls in a batch: short, so that few are interrupted
	timingStep   = 24  // blocks between two looks at t
	timingBlocks = 48  // the least that the real handler is measured
	timingMost   = 960 // the most that the positive control may need
	// timingT is far beyond chance, also for looking at each step: |t| over 8
	// with 23 degrees of freedom has a probability of 4 in 10⁸.
	timingT = 8
	// timingBound is the part of a call's time that two classes may differ by.
	timingBound = 0.10
)

// class makes what is measured ready, each time in a new place of memory: where a
// token lies costs more or less time than where another one does.
type class func() (call func())

// A difference is what a measurement found between two classes.
type difference struct {
	t      float64
	part   float64 // of the time of a call
	blocks int
}

func (d difference) String() string {
	return fmt.Sprintf("t = %.1f, %.1f %% of a call, %d blocks", d.t, 100*d.part, d.blocks)
}

// differ measures until the two classes differ or there were most blocks.
func differ(most int, a, b class) (d difference) {
	rounds := timingRounds
	if testing.Short() {
		rounds /= 2
	}
	var differences, lows []float64
	for len(differences) < most && math.Abs(d.t) <= timingT {
		for range timingStep {
			lowA, lowB := block(rounds, a, b)
			differences = append(differences, lowA-lowB)
			lows = append(lows, lowA, lowB)
		}
		d.t = oneSampleT(differences)
	}
	d.part, d.blocks = math.Abs(median(differences))/median(lows), len(differences)
	return d
}

func median(xs []float64) float64 {
	return slices.Sorted(slices.Values(xs))[len(xs)/2]
}

// oneSampleT is Student's t of the hypothesis that the mean is zero.
func oneSampleT(xs []float64) float64 {
	n, mean, variance := float64(len(xs)), 0.0, 0.0
	for _, x := range xs {
		mean += x / n
	}
	for _, x := range xs {
		variance += (x - mean) * (x - mean) / (n - 1)
	}
	return mean / math.Sqrt(variance/n+1e-9)
}

// block gives the lower quartile of the batches of each class.
func block(rounds int, classes ...class) (a, b float64) {
	var times [2][]float64
	for range rounds {
		for _, c := range rand.Perm(2) {
			call := classes[c]()
			begin := time.Now()
			for range timingBatch {
				call()
			}
			times[c] = append(times[c], float64(time.Since(begin)))
		}
	}
	slices.Sort(times[0])
	slices.Sort(times[1])
	return times[0][rounds/4], times[1][rounds/4]
}

// longToken is long, so that an early exit saves much, and within the 8 KiB that
// a token may have.
func longToken() string {
	var b strings.Builder
	for range 300 { // of 26 characters
		b.WriteString(crand.Text())
	}
	return b.String()
}

// guesses gives wrong tokens as long as the right one: one that is wrong from
// the first character on, and one that is wrong in the last alone.
func guesses(right string) (early, late string) {
	flip := func(c byte) string {
		if c == 'A' {
			return "B"
		}
		return "A"
	}
	return flip(right[0]) + right[1:], right[:len(right)-1] + flip(right[len(right)-1])
}

// twin gives a token that differs in every character, each of the same kind: to read
// letters takes another time than to read digits, whatever the secret is.
func twin(token string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' {
			return 'A' + ((c - 'A') ^ 1)
		}
		return '2' + ((c - '2') ^ 1) // crand.Text has A to Z and 2 to 7
	}, token)
}

// listed is how many tokens the control searches: one alone is a small part of a
// call under the race detector, which makes everything else slower.
const listed = 8

// timed are the routes that are measured: any, and the registration of nodes,
// where an early exit was found once.
var timed = []string{"GET /v2/tasks", "POST /v2/nodes/register"}

// probe gives calls of the real handler with a token.
func probe(h http.Handler, route, token string) class {
	method, path, _ := strings.Cut(route, " ")
	r := httptest.NewRequest(method, path, nil)
	return func() func() {
		header := []string{"Bearer " + token}
		return func() {
			r.Header["Authorization"] = header
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusUnauthorized {
				panic("a guess was let in")
			}
		}
	}
}

// TestSecurityTiming asks the real handler, with authmin around it, and then
// the same handler behind a comparator that stops at the first difference: the
// positive control, which the method must catch or it proves nothing. Its
// attributes are evidence for integration/gate.
func TestSecurityTiming(t *testing.T) {
	secret := longToken()
	early, late := guesses(secret)
	auth, err := backend.NewAuthenticator(backend.AuthOptions{
		Service: "orchestrator", Listen: "127.0.0.1:0", Token: authmin.NewSecret(secret), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	real := auth.Wrap(httpapi.New(httpapi.Options{}).Handler())
	list := slices.Repeat([]string{secret}, listed)
	leaky := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !slices.ContainsFunc(list, func(token string) bool { return earlyExit(sent, token) }) {
			r.Header.Set("Authorization", "Bearer "+early) // answered alike, so only the comparison differs
		}
		real.ServeHTTP(w, r)
	})
	for _, route := range timed {
		t.Run(route, func(t *testing.T) {
			control := differ(timingMost, probe(leaky, route, early), probe(leaky, route, late))
			t.Logf("positive control: %s", control)
			if math.Abs(control.t) <= timingT || control.part <= timingBound {
				t.Fatalf("a comparator that stops early was not caught: %s, want t over %d and over %g", control, timingT, timingBound)
			}
			t.Attr("control", "caught: "+control.String())
			t.Attr("bound", fmt.Sprint(timingBound))
			for name, guess := range map[string]string{"wrong at once": early, "wrong everywhere": twin(secret)} {
				// Twice what was enough to catch the leak.
				got := differ(max(timingBlocks, 2*control.blocks), probe(real, route, guess), probe(real, route, late))
				t.Attr("difference", got.String())
				t.Logf("wrong at the end against %s: %s", name, got)
				if math.Abs(got.t) > timingT || got.part > timingBound {
					t.Errorf("the time tells a guess that is wrong at the end from one that is %s: %s", name, got)
				}
			}
		})
	}
}

// earlyExit is what must never be written: it returns at the first difference.
func earlyExit(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if subtle.ConstantTimeByteEq(a[i], b[i]) == 0 {
			return false
		}
	}
	return true
}
