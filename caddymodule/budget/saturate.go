package budget

import "math"

// Add is the sum of two counts, and the largest count where it would overflow. Counts are
// not negative.
func Add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Multiply is the product of two counts, and the largest count where it would overflow.
// Counts are not negative.
func Multiply(a, b int64) int64 {
	if a != 0 && b > math.MaxInt64/a {
		return math.MaxInt64
	}
	return a * b
}
