package main

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// ownPrefix begins the variables that are this program's alone. Those of the
// orchestrator, which often share its environment, are not refused.
const ownPrefix = "POOL_MANAGERD_"

// maxTypo is how many letters a name may differ in to be taken for a typing error.
const maxTypo = 2

var (
	// serviceLink is what Kubernetes and Docker set for a service of our name.
	serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP)(_(ADDR|PORT|PROTO))?)$`)
	// linkedPort is the value of such a variable whose name could be an error.
	linkedPort = regexp.MustCompile(`^(tcp|udp)://`)
)

// knownVariables are those that are looked up.
func knownVariables() ([]string, error) {
	var names []string
	_, _, err := load("", func(name string) (string, bool) {
		names = append(names, name)
		return "", false
	})
	return names, err
}

// checkVariables refuses a variable that looks like one of ours and is none: a
// setting that is not read would be missed only when it is needed. No value is
// quoted, it may be a token.
func checkVariables(environment []string) error {
	known, err := knownVariables()
	if err != nil {
		return err
	}
	for _, pair := range environment {
		name, value, _ := strings.Cut(pair, "=")
		if slices.Contains(known, name) || serviceLink.MatchString(name) || strings.HasSuffix(name, "_PORT") && linkedPort.MatchString(value) {
			continue
		}
		near, distance := nearest(name, known)
		switch {
		case !strings.HasPrefix(strings.ToUpper(name), ownPrefix) && (distance > maxTypo || !ours(near) || others[name]):
		case distance <= maxTypo:
			return fmt.Errorf("%s: there is no such variable; did you mean %s? Spell it so, or unset it", name, near)
		default:
			return fmt.Errorf("%s: there is no such variable; unset it. Those that there are: %s", name, strings.Join(slices.DeleteFunc(known, func(n string) bool { return !strings.HasPrefix(n, ownPrefix) }), ", "))
		}
	}
	return nil
}

// others are variables of our own other programs that are near to one of ours.
var others = map[string]bool{"POOL_MANAGER_TOKEN": true, "POOL_MANAGER_TOKEN_FILE": true, "LLORCH_NODE_TOKEN": true}

// ours reports whether a known variable is not one that systemd or a session sets.
func ours(name string) bool { return name != "RUNTIME_DIRECTORY" && name != "XDG_RUNTIME_DIR" }

// nearest is the known name that differs in the fewest letters.
func nearest(name string, known []string) (near string, distance int) {
	distance = math.MaxInt
	for _, k := range known {
		if d := typos(strings.ToUpper(name), k); d < distance {
			near, distance = k, d
		}
	}
	return near, distance
}

// typos is how many letters have to be put in, left out or changed.
func typos(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
