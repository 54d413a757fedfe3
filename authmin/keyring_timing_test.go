package authmin

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"
)

// timingVariable, set to "long", makes the timing test take minutes; without it,
// it takes a fraction of a second. The bound is the same.
const timingVariable = "LLORCH_TIMING"

// timingPlan says how much is measured. Noise only ever adds time, so a low
// percentile of many batches is compared, and one quiet attempt of several is
// enough to show that there is no difference: a real one is in all of them.
type timingPlan struct {
	batches, attempts int
	limit             float64 // how much slower one class may be than another
}

// timingLimit is a tenth more, the bound of the security gate.
const timingLimit = 1.10

func planOf(mode string) timingPlan {
	if mode == "long" {
		return timingPlan{batches: 20_000, attempts: 10, limit: timingLimit}
	}
	return timingPlan{batches: 600, attempts: 12, limit: timingLimit}
}

// timingClass is one kind of look-up that must cost what the others cost.
type timingClass struct {
	name    string
	digests []Digest
}

const (
	digestsInClass = 64
	lowPercentile  = 0.20
)

// measured gives the batch times of each class; the classes take turns, and not
// always in the same order, so that a slow moment of the machine hits them all.
func measured(classes []timingClass, batches int, look func(Digest)) [][]float64 {
	times := make([][]float64, len(classes))
	for batch := range batches {
		for turn := range classes {
			i := (turn*5 + batch) % len(classes)
			start := time.Now()
			for _, d := range classes[i].digests {
				look(d)
			}
			times[i] = append(times[i], float64(time.Since(start)))
		}
	}
	return times
}

// spread is how much slower the slowest class is than the fastest, and Welch's t
// between these two, for the log.
func spread(times [][]float64) (ratio, t float64) {
	low, high := 0, 0
	percentiles := make([]float64, len(times))
	for i, ts := range times {
		sorted := slices.Sorted(slices.Values(ts))
		percentiles[i] = sorted[int(float64(len(sorted))*lowPercentile)]
		if percentiles[i] < percentiles[low] {
			low = i
		}
		if percentiles[i] > percentiles[high] {
			high = i
		}
	}
	return percentiles[high] / percentiles[low], welch(times[high], times[low])
}

func welch(a, b []float64) float64 {
	mean := func(x []float64) (m, v float64) {
		for _, t := range x {
			m += t / float64(len(x))
		}
		for _, t := range x {
			v += (t - m) * (t - m) / float64(len(x)-1)
		}
		return m, v / float64(len(x))
	}
	ma, va := mean(a)
	mb, vb := mean(b)
	return (ma - mb) / math.Sqrt(va+vb)
}

// isFlat tries until one attempt shows the classes alike.
func isFlat(t *testing.T, plan timingPlan, classes []timingClass, look func(Digest)) bool {
	t.Helper()
	for range plan.attempts {
		ratio, welch := spread(measured(classes, plan.batches, look))
		t.Logf("slowest to fastest class %.3f (limit %.2f), Welch t %.1f", ratio, plan.limit, welch)
		if ratio < plan.limit {
			return true
		}
	}
	return false
}

func TestLookupTakesTheSameTime(t *testing.T) {
	ring, classes := timingKeyring(t)
	plan := planOf(os.Getenv(timingVariable))
	if !isFlat(t, plan, classes, func(d Digest) { ring.Lookup(d, noon) }) {
		t.Error("a look-up's time says something of the token")
	}
	// The control: the same measurement must see a comparison that stops at the
	// first difference, or it would see nothing.
	one, differing := secretOf("t0").Digest(), differingFrom(secretOf("t0").Digest())
	if isFlat(t, plan, differing, func(d Digest) { earlyExitLookup(d, one) }) {
		t.Fatal("the measurement does not see a comparison that stops early")
	}
	// Evidence for integration/gate.
	t.Attr("control", "caught: a comparison that stops early is slower by more than the bound each time")
	t.Attr("bound", fmt.Sprintf("%.2f", plan.limit-1))
}

// timingKeyring is a keyring, and look-ups of every outcome. The digests of the
// first two classes differ from one in the keyring in the first or last byte.
func timingKeyring(t *testing.T) (*Keyring, []timingClass) {
	t.Helper()
	tokens := tokensOf(4 * digestsInClass)
	classes := []timingClass{{name: "first byte"}, {name: "last byte"}, {name: "unknown"}, {name: "known"}, {name: "expired"}, {name: "revoked"}, {name: "not yet"}}
	for i := range digestsInClass {
		tokens[4*i+1].Expires, tokens[4*i+2].Revoked, tokens[4*i+3].NotBefore = 1, true, noon.Unix()+1
		near := differingFrom(tokens[4*i].digest)
		for class, d := range []Digest{near[0].digests[i], near[1].digests[i], secretOf(fmt.Sprintf("unknown %d", i)).Digest(),
			tokens[4*i].digest, tokens[4*i+1].digest, tokens[4*i+2].digest, tokens[4*i+3].digest} {
			classes[class].digests = append(classes[class].digests, d)
		}
	}
	return mustKeyring(t, tokens...), classes
}

// differingFrom makes two classes: a digest with another first, and with another
// last byte.
func differingFrom(d Digest) []timingClass {
	first, last := d, d
	first[0] ^= 1
	last[len(last)-1] ^= 1
	return []timingClass{
		{"first byte", slices.Repeat([]Digest{first}, digestsInClass)},
		{"last byte", slices.Repeat([]Digest{last}, digestsInClass)},
	}
}

// earlyExitLookup compares a window's length of tokens as a keyring must not.
func earlyExitLookup(a, b Digest) (found int) {
	for range window {
		same := 0
		for same < len(a) && a[same] == b[same] {
			same++
		}
		found += same
	}
	return found
}
