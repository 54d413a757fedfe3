package main

import (
	"math"
	"slices"
)

// median sorts the values.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// interval is where the median of what the values are drawn from lies with 95 %
// confidence: between two of them, by the normal approximation of the binomial.
func interval(values []float64) (low, high float64) {
	const z = 1.96
	slices.Sort(values)
	n := float64(len(values))
	half := z * math.Sqrt(n) / 2
	from := max(0, int(math.Floor(n/2-half)))
	to := min(len(values)-1, int(math.Ceil(n/2+half)))
	return values[from], values[to]
}
