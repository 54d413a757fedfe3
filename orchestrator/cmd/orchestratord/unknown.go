package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// environ lists the environment; tests give another one.
var environ = os.Environ

// othersVariables have our prefix and are the pool manager's: the two daemons may share
// one environment.
var othersVariables = []string{"ORCHESTRATORD_URL", "ORCHESTRATORD_TOKEN", "ORCHESTRATORD_TOKEN_FILE"}

// checkVariables refuses a variable that has the prefix of this program's and is none of
// them: a typing error would otherwise be ignored. Its value is not repeated.
func checkVariables(environ []string) error {
	known := slices.Sorted(maps.Values(variables))
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, _, _ := strings.Cut(pair, "=")
		ours := strings.HasPrefix(name, "ORCHD_") || strings.HasPrefix(name, "ORCHESTRATORD_")
		if !ours || slices.Contains(known, name) || slices.Contains(othersVariables, name) {
			continue
		}
		return fmt.Errorf("environment: %.64q is no variable of orchestratord; did you mean %s? Unset it or correct it", name, nearest(name, known))
	}
	return nil
}

// nearest gives the name that takes the fewest changed letters.
func nearest(name string, known []string) string {
	name = name[:min(len(name), 64)]
	return slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) })
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal, row[j+1] = row[j+1], min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
