package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// environ lists the environment; tests give another one.
var environ = os.Environ

// othersVariables are the pool manager's and near to ours: the two daemons may share
// one environment.
var othersVariables = []string{"ORCHESTRATORD_URL", "ORCHESTRATORD_TOKEN", "ORCHESTRATORD_TOKEN_FILE"}

// maxTypo is how many letters a name without our prefix may differ in from one of ours
// to be taken for a typing error.
const maxTypo = 2

var (
	// serviceLink is what Kubernetes and Docker set for a service of our name.
	serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP)(_(ADDR|PORT|PROTO))?)$`)
	// linkedPort is the value of such a variable whose name could be an error.
	linkedPort = regexp.MustCompile(`^(tcp|udp)://`)
)

// checkVariables refuses a variable that looks like one of this program's and is none: a
// typing error would otherwise be ignored, and a token that is not read is missed by
// every caller. Its value is not repeated.
func checkVariables(environ []string) error {
	known, err := knownVariables()
	if err != nil {
		return err
	}
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case slices.Contains(known, name), slices.Contains(othersVariables, name):
		case serviceLink.MatchString(name), strings.HasSuffix(name, "_PORT") && linkedPort.MatchString(value):
		case ours(name) || distance(upper(name), nearest(name, known)) <= maxTypo:
			return fmt.Errorf("environment: %.64q is no variable of orchestratord; did you mean %s? Unset it or correct it", name, nearest(name, known))
		}
	}
	return nil
}

// knownVariables are those of the configuration's keys, and of the secrets.
func knownVariables() ([]string, error) {
	known := slices.Sorted(maps.Values(variables))
	_, err := readSecrets(func(name string) (string, bool) {
		known = append(known, name)
		return "", false
	})
	return known, err
}

// ours reports whether the name has the prefix of this program's.
func ours(name string) bool {
	return strings.HasPrefix(upper(name), "ORCHD_") || strings.HasPrefix(upper(name), "ORCHESTRATORD_")
}

// upper is how names are compared: in upper case, and no more of them than is needed.
func upper(name string) string { return strings.ToUpper(name[:min(len(name), 64)]) }

// nearest gives the name that takes the fewest changed letters.
func nearest(name string, known []string) string {
	name = upper(name)
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
