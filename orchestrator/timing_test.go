package orchestrator_test

import (
	crand "crypto/rand"
	"crypto/subtle"
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
	"github.com/llorch/gateway/orchestrator/httpapi"
)

// The question is whether an attacker who measures learns how much of a guess
// was right. Both classes are measured in short batches, interleaved in random
// order. Each block of batches gives one number, the difference of the two low
// percentiles: a noisy machine disturbs both, and mostly the high ones. The
// verdict is the t of these differences, so no absolute time is asserted.
const (
	timingBlocks = 24 // differences in a trial
	timingRounds = 80 // batches a class and block; the short form takes half
	timingBatch  = 4  // calls in a batch: short, so that few are interrupted
	timingTrials = 3  // a leak shows in every trial, a disturbance does not
	// timingT is beyond what chance gives: |t| over 6 with 23 degrees of
	// freedom has a probability of 4 in a million, and it takes three in a row.
	timingT = 6
)

// differ reports whether f takes another time for a than for b, in every trial,
// and the smallest |t|.
func differ(a, b func()) (bool, float64) {
	smallest := math.Inf(1)
	for range timingTrials {
		smallest = min(smallest, math.Abs(trial(a, b)))
	}
	return smallest > timingT, smallest
}

// trial gives the t of the blocks' differences.
func trial(a, b func()) float64 {
	rounds := timingRounds
	if testing.Short() {
		rounds /= 2
	}
	var differences []float64
	for range timingBlocks {
		lowA, lowB := block(rounds, a, b)
		differences = append(differences, lowA-lowB)
	}
	mean, variance := 0.0, 0.0
	for _, d := range differences {
		mean += d / timingBlocks
	}
	for _, d := range differences {
		variance += (d - mean) * (d - mean) / (timingBlocks - 1)
	}
	return mean / math.Sqrt(variance/timingBlocks+1e-9)
}

// block gives the lower quartile of the batches of each class.
func block(rounds int, classes ...func()) (a, b float64) {
	var times [2][]float64
	for range rounds {
		for _, c := range rand.Perm(2) {
			begin := time.Now()
			for range timingBatch {
				classes[c]()
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

// probe gives a call of the real handler with a token.
func probe(h http.Handler, token string) func() {
	r := httptest.NewRequest("GET", "/v2/tasks", nil)
	return func() {
		r.Header["Authorization"] = []string{"Bearer " + token}
		w := httptest.ResponseRecorder{HeaderMap: http.Header{}}
		h.ServeHTTP(&w, r)
		if w.Code != http.StatusUnauthorized {
			panic("a guess was let in")
		}
	}
}

// TestSecurityTiming asks the real handler, with authmin around it, and then
// the same handler behind a comparator that stops at the first difference: the
// positive control, which the method must catch or it proves nothing.
func TestSecurityTiming(t *testing.T) {
	secret := longToken()
	early, late := guesses(secret)
	backend, err := authmin.NewBackend(authmin.BackendOptions{
		Service: "orchestrator", Listen: "127.0.0.1:0", Token: authmin.NewSecret(secret), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	inner := httpapi.New(httpapi.Options{}).Handler()
	real := backend.Wrap(inner)
	leaky := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !earlyExit(sent, secret) {
			r.Header.Set("Authorization", "Bearer "+early) // answered alike, so only the comparison differs
		}
		real.ServeHTTP(w, r)
	})
	caught, got := differ(probe(leaky, early), probe(leaky, late))
	t.Logf("positive control: |t| = %.1f", got)
	if !caught {
		t.Errorf("positive control: a comparator that stops early was not caught (|t| = %.1f, want over %d)", got, timingT)
	}
	leaks, got := differ(probe(real, early), probe(real, late))
	t.Logf("early against late: |t| = %.1f", got)
	if leaks {
		t.Errorf("the time tells where a guess is wrong (|t| = %.1f in every trial)", got)
	}
	other := longToken()
	if leaks, got := differ(probe(real, late), probe(real, other)); leaks {
		t.Errorf("the time tells a near guess from a far one (|t| = %.1f in every trial)", got)
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
