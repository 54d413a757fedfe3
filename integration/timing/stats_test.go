package timing_test

import (
	"math"
	"slices"
	"testing"
	"time"
)

// A series holds what was measured of one class: a low percentile of each round,
// because noise only ever adds.
type series []float64

// lowPercentile is the share of a batch that is taken to be without noise.
const lowPercentile = 0.25

func low(batch []time.Duration) float64 {
	slices.Sort(batch)
	return float64(batch[int(float64(len(batch))*lowPercentile)])
}

// trimmed is the share of rounds left out at each end: another program ran.
const trimmed = 0.1

// compare pairs the rounds of two series, so that what drifts is the same for
// both, and returns by how much b is later and how many standard errors that is.
func compare(a, b series) (difference time.Duration, t float64) {
	differences := make([]float64, len(a))
	for i := range a {
		differences[i] = b[i] - a[i]
	}
	slices.Sort(differences)
	cut := int(float64(len(differences)) * trimmed)
	kept := differences[cut : len(differences)-cut]
	mean := 0.0
	for _, d := range kept {
		mean += d / float64(len(kept))
	}
	// Yuen: the variance is that of the winsorised sample.
	winsorised := slices.Clone(differences)
	for i := range cut {
		winsorised[i], winsorised[len(winsorised)-1-i] = kept[0], kept[len(kept)-1]
	}
	center, squares := 0.0, 0.0
	for _, d := range winsorised {
		center += d / float64(len(winsorised))
	}
	for _, d := range winsorised {
		squares += (d - center) * (d - center)
	}
	h := float64(len(kept))
	se := math.Sqrt(squares / (h * (h - 1)))
	if se == 0 {
		return time.Duration(mean), 0
	}
	return time.Duration(mean), mean / se
}

func TestCompare(t *testing.T) {
	var a, same, later series
	for i := range 200 {
		noise := float64((i*7919)%101) * 10
		a = append(a, 1000+noise)
		same = append(same, 1000+float64((i*104729)%101)*10)
		later = append(later, 1400+float64((i*104729)%101)*10)
	}
	later[3] = 1e9 // another process ran
	if d, score := compare(a, same); math.Abs(score) > 4 {
		t.Errorf("alike: difference %v, t = %.1f", d, score)
	}
	if d, score := compare(a, later); score < 8 || d < 300 || d > 500 {
		t.Errorf("400 ns later: difference %v, t = %.1f", d, score)
	}
}
