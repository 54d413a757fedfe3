package main

import (
	"fmt"
	"strconv"
	"strings"
)

// timingBound is the part of a call's time by which two tokens may differ.
const timingBound = 0.10

// A timed is a timing test, which has to say in its attributes that it caught a
// comparison that stops early, and by what part of a call's time it lets two
// tokens differ. Without the first it could measure nothing, without the second
// it could let everything pass.
type timed struct {
	named
	relative bool // has a bound that is a part; otherwise one of its own in nanoseconds
}

var timingTests = []timed{
	{named{"./orchestrator", "TestSecurityTiming/GET_/v2/tasks", 0}, true},
	{named{"./orchestrator", "TestSecurityTiming/POST_/v2/nodes/register", 0}, true},
	{named{"./authmin", "TestLookupTakesTheSameTime", 0}, true},
	{named{"./integration/timing", "TestTiming", 0}, false},
}

// measured looks at what timing tests say of themselves.
func measured(tests ...timed) look {
	return func(in *inputs) (evidence, faults []string) {
		for _, n := range tests {
			name := n.test + " in " + n.pkg
			o := in.results.tests[testID{n.pkg, n.test}]
			if !o.ok() {
				faults = append(faults, name+" did not run and pass")
				continue
			}
			control := strings.Join(o.attrs["control"], "; ")
			if !strings.HasPrefix(control, "caught") {
				faults = append(faults, name+" shows no positive control that was caught")
			}
			if n.relative {
				faults = append(faults, checkBounds(name, o.attrs["bound"])...)
			}
			text := fmt.Sprintf("%s: positive control %s; bound %s", name, control, strings.Join(o.attrs["bound"], ", "))
			evidence = append(evidence, strings.TrimSuffix(text, "; bound ")+differences(o))
		}
		return evidence, faults
	}
}

func differences(o *outcome) string {
	if len(o.attrs["difference"]) == 0 {
		return ""
	}
	return "; measured " + strings.Join(o.attrs["difference"], ", ")
}

func checkBounds(name string, bounds []string) (faults []string) {
	if len(bounds) == 0 {
		faults = append(faults, name+" shows no bound")
	}
	for _, text := range bounds {
		bound, err := strconv.ParseFloat(text, 64)
		if err != nil || bound <= 0 || bound > timingBound {
			faults = append(faults, fmt.Sprintf("%s has the bound %q, want at most %g", name, text, timingBound))
		}
	}
	return faults
}
